//! JSON that holds secrets.

use serde_json::Value;
use std::ops::Deref;
use zeroize::Zeroize;

/// A document whose texts are cleared from memory when it is dropped.
pub struct Erased(pub Value);

impl Deref for Erased {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for Erased {
    fn drop(&mut self) {
        erase(&mut self.0);
    }
}

fn erase(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
