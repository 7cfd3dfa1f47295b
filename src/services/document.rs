//! Writes `docs/services.md` and a page for each service from their table.

use super::table::{Parameter, Presence, SERVICES, Service};
use std::fmt::Write;

const NOTE: &str = "<!-- Generated from the table in src/services/table.rs: run `scripts/generate` after a change there. -->";

const HEAD: &str = "\
`mona_service_call` runs each of these by its name, which is that of the method of the Python package's
`Client`. Its arguments are the method's keyword arguments, as one JSON object. A missing required argument or an unknown one
is `MONA_ERROR_INVALID_ARGUMENT`; an optional one that is left out is left out of the request, one that is
null is sent as null. An argument with the text `\"mona_unprovided_value\"` is left out of the request, whatever is sent by
default, as in the Python package and in every language.

The document is `{\"success\", \"data\", \"error_message\"}`; a failure adds `error_kind`, `retriable` and, where
the service found fault with a configuration or a file, its `issues`. Numbers in `data` stand as the service wrote them.

All of them, called on real data: [examples-c/services.c](../examples-c/services.c).

| service | |
|---|---|
";

/// The list of all services, `docs/services.md`.
pub fn index() -> String {
    let mut page = format!("# Services\n\n{NOTE}\n\n{HEAD}");
    for Service { name, doc, .. } in SERVICES {
        let _ = writeln!(page, "| [`{name}`](services/{name}.md) | {doc} |");
    }
    page
}

/// The page of one service, `docs/services/<name>.md`.
pub fn page(service: &Service) -> String {
    let Service {
        name,
        doc,
        path,
        older_path,
        parameters,
        ..
    } = service;
    let example = example(parameters);
    let mut page = format!(
        "# {name}\n\n{NOTE}\n\n{doc}\n\n```c\nmona_service_call(client, \"{name}\", \"{example}\", -1, NULL, &document);\n```\n\n\
         Endpoint: `POST {path}` of the app server.\n"
    );
    if let Some(older) = older_path {
        let _ = write!(
            page,
            "\nWhere the server does not know that path (404), `POST {older}` is used, for good by that client.\n"
        );
    }
    if parameters.is_empty() {
        page.push_str("\nNo arguments.\n");
    } else {
        page.push_str("\n| argument | | meaning |\n|---|---|---|\n");
    }
    for parameter in *parameters {
        let presence = match parameter.presence {
            Presence::Required => "required",
            Presence::Optional | Presence::NullByDefault => "optional",
        };
        let _ = writeln!(
            page,
            "| `{}` | {presence} | {} |",
            parameter.name, parameter.doc
        );
    }
    page.push_str("\nWhat all services have in common: [services](../services.md).\n");
    page
}

/// The arguments that must be there, as they stand in C, with their values left open.
fn example(parameters: &[Parameter]) -> String {
    let required = parameters
        .iter()
        .filter(|parameter| parameter.presence == Presence::Required);
    let members: Vec<String> = required
        .map(|parameter| format!("\\\"{}\\\": …", parameter.name))
        .collect();
    format!("{{{}}}", members.join(", "))
}
