use super::*;
use std::collections::BTreeMap;

static EVERYTHING: Sampling = Sampling {
    default_rate: 1.0,
    class_rates: BTreeMap::new(),
};

fn run_with<'a>(text: &str, change: impl FnOnce(&mut Stage<'a>)) -> Result<Staged, NoMessages> {
    let mut stage = Stage {
        filter_none_fields: false,
        sampling: &EVERYTHING,
        now_ms: 1_700_000_000_000,
        complete: None,
        send_timestamp: false,
        room: Vec::with_capacity,
    };
    change(&mut stage);
    stage.run(text)
}

fn run(text: &str) -> Staged {
    run_with(text, |_| {}).unwrap()
}

/// The body up to its last message.
fn body(staged: &Staged) -> &str {
    std::str::from_utf8(&staged.body).unwrap()
}

#[test]
fn a_message_is_renamed_stamped_and_wrapped() {
    let mut staged = run(r#" {"message": {"a": 1}, "contextClass": "C", "contextId": "i"} "#);
    let envelope = Envelope {
        user_id: "u",
        ..Envelope::default()
    };
    let expected = concat!(
        r#"{"messages":[{"message":{"a": 1},"arcClass":"C","contextId":"i","#,
        r#""exportTimestamp":1700000000000}],"userId":"u"}"#
    );
    assert_eq!(
        String::from_utf8(staged.request_body(&envelope)).unwrap(),
        expected
    );
}

#[test]
fn values_travel_byte_for_byte() {
    let fields =
        r#""n": 1.10, "big":123456789012345678901234567890,"e":1e400 ,"s":"\u00e9\/é","d":1,"d":2"#;
    let text = format!(r#"[{{"message":{{{fields}}},"contextClass":"C","exportTimestamp":1.50}}]"#);
    let staged = run(&text);
    assert!(body(&staged).contains(fields), "{}", body(&staged));
    assert!(body(&staged).contains(r#""exportTimestamp":1.50"#));
}

#[test]
fn indices_lead_back_to_the_callers_messages() {
    let text = r#"[{"message":{},"contextClass":"C"}, 3, {"message":{"a":1},"contextClass":"C"},
        {"message":"text","contextClass":"C"}, {"message":{"a":1}}, {"contextClass":"C"},
        {"message":{"a":1},"contextClass":7}, {"message":null,"contextClass":"C"},
        {"message":{"b":2},"contextClass":"C"}]"#;
    let staged = run(text);
    assert_eq!(staged.indices, [2, 8]);
    assert_eq!(staged.empty, 2);
    let rejected: Vec<_> = staged
        .rejected
        .iter()
        .map(|(i, r)| (*i, r.as_str()))
        .collect();
    assert_eq!(
        rejected,
        [
            (1, "a message must be an object, this is a number"),
            (3, "message must be an object, this is a string"),
            (4, "contextClass is missing"),
            (5, "message is missing"),
            (6, "contextClass must be a string, this is a number"),
        ]
    );
    assert_eq!(staged.given(), 9);
    let mut staged = staged;
    let sent: serde_json::Value =
        serde_json::from_slice(&staged.request_body(&Envelope::default())).unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2);
    assert_eq!(sent["messages"][1]["message"]["b"], 2);
}

#[test]
fn reserved_fields_are_renamed_and_win_at_the_end() {
    let text = r#"{"message":{"MONA_A":1,"MY_MONA_A":2,"mona_b":3,"\u004dONA_c":{"MONA_d":4},"MONA":5},"contextClass":"C"}"#;
    let staged = run(text);
    let expected = r#""message":{"MY_MONA_A":2,"mona_b":3,"MONA":5,"MY_MONA_A":1,"MY_\u004dONA_c":{"MONA_d":4}}"#;
    assert!(body(&staged).contains(expected), "{}", body(&staged));
}

#[test]
fn null_fields_are_left_out_at_the_top_level_only() {
    let text = r#"[{"message":{"a":null, "b":{"c":null},"d":null,"e":0,"f":"","MONA_x":null},"contextClass":"C"},
        {"message":{"a":null},"contextClass":"C"}]"#;
    let staged = run_with(text, |stage| stage.filter_none_fields = true).unwrap();
    assert!(
        body(&staged).contains(r#""message":{"b":{"c":null},"e":0,"f":""}"#),
        "{}",
        body(&staged)
    );
    assert_eq!((staged.indices.len(), staged.empty), (1, 1));
}

#[test]
fn one_timestamp_is_sent_under_the_name_asked_for() {
    let text = r#"{"message":{"a":1},"contextClass":"C","exportTimestamp":1,"sendTimestamp":2}"#;
    let staged = run_with(text, |stage| stage.send_timestamp = true).unwrap();
    assert!(
        body(&staged).contains(r#""sendTimestamp":2}"#)
            && !body(&staged).contains("exportTimestamp")
    );
    let staged =
        run(r#"{"message":{"a":1},"contextClass":"C","sendTimestamp":"x","exportTimestamp":null}"#);
    assert!(
        body(&staged).contains(r#""exportTimestamp":"x"}"#)
            && !body(&staged).contains("sendTimestamp")
    );
}

#[test]
fn what_the_service_judges_goes_through_as_written() {
    let text = r#"{"message":{"a":1},"contextClass":"a..","contextId":12,"action":"BOGUS","sampleConfigName":null,"x":[1]}"#;
    let sent = run(text);
    for part in [
        r#""arcClass":"a..""#,
        r#""contextId":12"#,
        r#""action":"BOGUS""#,
        r#""sampleConfigName":null"#,
        r#""x":[1]"#,
    ] {
        assert!(body(&sent).contains(part), "{part}");
    }
}

#[test]
fn keys_with_escapes_mean_what_they_say() {
    let staged = run(r#"{"m\u0065ssage":{"a":1},"contextCl\u0061ss":"C"}"#);
    assert!(body(&staged).contains(r#"{"message":{"a":1},"arcClass":"C""#));
}

#[test]
fn default_action_and_sample_config_name_follow_the_messages() {
    let mut staged = run(r#"[{"message":{"a":1},"contextClass":"C"}]"#);
    let envelope = Envelope {
        user_id: "u",
        default_action: Some("ADD"),
        sample_config_name: Some("S\""),
    };
    let body = String::from_utf8(staged.request_body(&envelope)).unwrap();
    let expected = r#"],"userId":"u","defaultAction":"ADD","sampleConfigName":"S\""}"#;
    assert!(body.ends_with(expected), "{body}");
}

#[test]
fn sampling_looks_at_the_decoded_id_and_class() {
    let sampling = Sampling {
        default_rate: 0.0,
        class_rates: [("K".to_owned(), 0.34)].into(),
    };
    let text = r#"[{"contextId":"\u0061","message":{"x":1},"contextClass":"\u004b"},
        {"contextId":"abc","message":{"x":1},"contextClass":"K"},
        {"contextId":"é","message":{"x":1},"contextClass":"K"},
        {"contextId":"a","message":{},"contextClass":"K"},
        {"contextId":12,"message":{"x":1},"contextClass":"other"}]"#;
    let staged = run_with(text, |stage| stage.sampling = &sampling).unwrap();
    let kept_non_ascii = bucket("é") <= 0.34;
    assert_eq!(staged.indices.len(), 1 + usize::from(kept_non_ascii));
    assert_eq!(staged.empty, 1);
    assert_eq!(staged.given(), 5);
}

#[test]
fn text_that_is_not_json_fails_the_call_with_its_offset() {
    for (text, expected) in [
        (
            r#"[{"message":{"a":NaN},"contextClass":"C"}]"#,
            "not valid JSON: a JSON value was expected at byte 17",
        ),
        (
            r#"[{"message":{"a":1},"contextClass":"C"}"#,
            "not valid JSON: ',' or ']' was expected at byte 39",
        ),
        (
            "{} x",
            "not valid JSON: unexpected text after the JSON value at byte 3",
        ),
        (
            "12",
            "$ is a number, where a message object or an array of them belongs",
        ),
        ("", "not valid JSON: the JSON text ends too early at byte 0"),
    ] {
        assert_eq!(run_with(text, |_| {}).unwrap_err().to_string(), expected);
    }
}

#[test]
fn depth_is_the_messages_own_failure() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let text = format!(
        r#"[{{"message":{{"v":{}}},"contextClass":"C"}},{{"message":{{"v":{}}},"contextClass":"C"}}]"#,
        nested(20_000),
        nested(500)
    );
    let staged = run(&text);
    assert_eq!(staged.indices, [1]);
    assert_eq!(
        staged.rejected,
        [(0, "nested deeper than 1000 levels".to_owned())]
    );
}

#[test]
fn completed_messages_mean_the_same_when_they_are_sent_again() {
    let text = r#"[{"message":{"a":1},"contextClass":"C"},{"message":{"a":1},"contextClass":"C","contextId":null,"action":null},
        {"message":{"a":1},"contextClass":"C","contextId":"i","action":"NEW"}]"#;
    let complete = Some(Completion {
        default_action: Some("ADD"),
    });
    let staged = run_with(text, |stage| stage.complete = complete).unwrap();
    let messages: Vec<serde_json::Value> = staged
        .messages()
        .map(|message| serde_json::from_slice(message).unwrap())
        .collect();
    let ids: Vec<_> = messages
        .iter()
        .map(|m| m["contextId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((ids[0].len(), ids[1].len(), ids[2].as_str()), (36, 36, "i"));
    assert_ne!(ids[0], ids[1]);
    let actions: Vec<_> = messages
        .iter()
        .map(|m| m["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["ADD", "ADD", "NEW"]);
}

#[test]
fn the_bytes_of_messages_are_those_of_their_texts() {
    let message = r#"{"message":{"a":1},"contextClass":"C"}"#;
    let empty = r#"{"message":{},"contextClass":"C"}"#;
    for text in [
        "[]".to_owned(),
        message.to_owned(),
        format!("[{message},{empty},{message},7]"),
    ] {
        let staged = run(&text);
        let sum: usize = staged.messages().map(<[u8]>::len).sum();
        assert_eq!(staged.message_bytes(), sum, "{text}");
    }
}
