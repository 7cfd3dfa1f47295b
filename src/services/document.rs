//! Writes `docs/services.md` from the table of services.

use super::table::{Presence, SERVICES, Service};
use std::fmt::Write;

const HEAD: &str = "\
# Services

<!-- Generated from the table in src/services/table.rs: run `scripts/generate` after a change there. -->

`mona_service_call` runs each of these by its name, which is that of the method of the Python package's
`Client`. Its arguments are the method's keyword arguments, as one JSON object. A missing required argument or an unknown one
is `MONA_ERROR_INVALID_ARGUMENT`; an optional one that is left out is left out of the request, one that is
null is sent as null.

The document is `{\"success\", \"data\", \"error_message\"}`; a failure adds `error_kind`, `retriable` and, where
the service found fault with a configuration or a file, its `issues`. Numbers in `data` stand as the service wrote them.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for service in SERVICES {
        page.push_str(&section(service));
    }
    page
}

fn section(service: &Service) -> String {
    let mut text = format!(
        "\n## {}\n\n{} Endpoint: `POST {}`.\n",
        service.name, service.doc, service.path
    );
    if let Some(older) = service.older_path {
        let _ = write!(
            text,
            "\nWhere the server does not know that path (404), `POST {older}` is used, for good by that client.\n"
        );
    }
    if service.parameters.is_empty() {
        text.push_str("\nNo arguments.\n");
        return text;
    }
    text.push_str("\n| argument | | meaning |\n|---|---|---|\n");
    for parameter in service.parameters {
        let presence = match parameter.presence {
            Presence::Required => "required",
            Presence::Optional | Presence::NullByDefault => "optional",
        };
        let _ = writeln!(
            text,
            "| `{}` | {presence} | {} |",
            parameter.name, parameter.doc
        );
    }
    text
}
