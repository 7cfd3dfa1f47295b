//! The process of one scenario: it makes the calls and writes down what they returned.

use crate::json::Json;
use crate::scenario::{self, Call, Operation};
use mona::answer::Answer;
use mona::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::Path;

/// Names the folder with the scenario, in the environment of the child.
pub const FOLDER: &str = "CONFORMANCE_FOLDER";
pub const SCENARIO: &str = "scenario.json";
pub const CONFIG: &str = "config.json";
pub const REPLIES: &str = "replies.json";

/// What one call returned; nothing where there was no client to call.
#[derive(Default, Serialize, Deserialize)]
pub struct Reply {
    pub status: Option<i32>,
    pub active: Option<bool>,
    pub document: Option<Box<RawValue>>,
}

impl Reply {
    pub fn document(&self) -> Json {
        match &self.document {
            Some(document) => Json::parse(document.get()),
            None => Json::Null,
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        Reply {
            status: Some(answer.status as i32),
            active: None,
            document: Some(RawValue::from_string(answer.document).unwrap()),
        }
    }
}

pub fn run() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let scenario = scenario::read(&read(SCENARIO));
    // A client stays until the end, as it does in Python: a later one may find what it left behind.
    let mut clients = Vec::new();
    let mut replies = vec![create(&mut clients, &read(CONFIG))];
    replies.extend(scenario.calls().map(|call| reply(&mut clients, call)));
    std::fs::write(
        folder.join(REPLIES),
        serde_json::to_string(&replies).unwrap(),
    )
    .unwrap();
}

fn create(clients: &mut Vec<Option<Client>>, config: &str) -> Reply {
    let (client, answer) = Client::new(Some(config));
    clients.push(client);
    answer.into()
}

fn reply(clients: &mut Vec<Option<Client>>, call: &Call) -> Reply {
    let arguments = call.arguments();
    if call.op == Operation::Init {
        return create(clients, &Json::Object(arguments).to_string());
    }
    let Some(Some(client)) = clients.last() else {
        return Reply::default();
    };
    match call.op {
        Operation::IsActive => Reply {
            active: Some(client.is_active()),
            ..Reply::default()
        },
        Operation::Export => export(client, arguments, "message"),
        Operation::ExportBatch => export(client, arguments, "events"),
        Operation::Service | Operation::Init => {
            let arguments = Json::Object(arguments).to_string();
            client.service_call(&call.name, &arguments, None).into()
        }
    }
}

/// The argument of this name holds the messages, the others are options.
fn export(client: &Client, arguments: Vec<(String, Json)>, name: &str) -> Reply {
    let (messages, options): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|(key, _)| key == name);
    let options: Vec<_> = options
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    let options = (!options.is_empty()).then(|| Json::Object(options).to_string());
    let messages = messages[0].1.to_string();
    client.export(&messages, options.as_deref()).into()
}
