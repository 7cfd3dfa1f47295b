use super::table::Response as Shape;
use super::*;
use crate::transport::Response;
use serde_json::{Value, json};

fn body(name: &str, arguments: &str, author: Option<&str>) -> Result<Value, String> {
    let service = find(name).unwrap();
    let arguments = request::Arguments::read(service, arguments).map_err(|e| e.to_string())?;
    let author = author.map(|author| Secret::new(author.to_owned()));
    let body =
        request::body(service, arguments, "u", author.as_ref()).map_err(|e| e.to_string())?;
    Ok(serde_json::from_slice(&body).unwrap())
}

fn read(name: &str, status: u16, answer: &str) -> Result<String, String> {
    match response::read(find(name).unwrap(), &Response::with(status, answer), "u") {
        Ok(Outcome::Data(data)) => Ok(data.get().to_owned()),
        Ok(Outcome::Issues { issues, .. }) => Err(issues.get().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn arguments_are_checked_against_the_table() {
    for (name, arguments, expected) in [
        (
            "get_insights",
            "{\"context_class\":\"C\"}",
            "args_json: get_insights needs the argument \"min_segment_size\"",
        ),
        (
            "get_insights",
            "{\"contextclass\":\"C\"}",
            "args_json: get_insights has no argument \"contextclass\" (did you mean \"context_class\"?)",
        ),
        ("get_config", "[]", "args_json: $ must be an object"),
        ("get_config", "7", "args_json: $ must be an object"),
        (
            "get_config",
            "{",
            "args_json: not valid JSON: EOF while parsing an object at byte 1",
        ),
    ] {
        assert_eq!(body(name, arguments, None).unwrap_err(), expected);
    }
}

#[test]
fn an_unknown_service_is_told_with_the_nearest() {
    let error = find("get_insight").err().unwrap().to_string();
    assert_eq!(
        error,
        "service: there is no service \"get_insight\" (did you mean \"get_insights\"?)"
    );
}

#[test]
fn arguments_left_out_are_left_out_or_null_as_the_table_says() {
    assert_eq!(body("get_config", "{}", None), Ok(json!({})));
    assert_eq!(
        body("get_sampling_factors", "{}", None),
        Ok(json!({"config_name": null}))
    );
    let arguments =
        r#"{"context_class":"mona_unprovided_value","min_segment_size":1,"metric_name":null}"#;
    assert_eq!(
        body("get_insights", arguments, None),
        Ok(json!({"min_segment_size": 1, "metric_name": null}))
    );
    for (name, arguments, expected) in [
        (
            "create_sampling_factor",
            r#"{"config_name":"S","sampling_factor":1,"context_class":"mona\u005funprovided_value"}"#,
            json!({"config_name": "S", "sampling_factor": 1}),
        ),
        (
            "upload_config",
            r#"{"config":{},"commit_message":"m","author":"mona_unprovided_value"}"#,
            json!({"config": {"u": {}}, "commit_message": "m", "user_id": "u"}),
        ),
    ] {
        assert_eq!(body(name, arguments, Some("k")), Ok(expected));
    }
    let arguments = r#"{"config":{},"context_class":"C"}"#;
    let expected = json!({"config": {}, "context_class": "C", "user_id": "u"});
    assert_eq!(
        body("validate_config_per_context_class", arguments, None),
        Ok(expected)
    );
}

#[test]
fn an_uploaded_config_is_wrapped_once_and_has_an_author() {
    let upload = |config: &str, rest: &str, author: Option<&str>| {
        let arguments = format!(r#"{{"config":{config},"commit_message":"m"{rest}}}"#);
        body("upload_config", &arguments, author)
    };
    let expected = |author: &str| json!({"config": {"u": {"C": {}}}, "commit_message": "m", "author": author, "user_id": "u"});
    let key = Some("k");
    assert_eq!(upload(r#"{"C":{}}"#, "", key), Ok(expected("k")));
    assert_eq!(
        upload(r#"{"u":{"C":{}}}"#, r#","author":"a""#, key),
        Ok(expected("a"))
    );
    for none in ["\"\"", "null", "0", "0.0", "false", "[]", "{ }"] {
        let author = format!(r#","author":{none}"#);
        assert_eq!(upload(r#"{"C":{}}"#, &author, key), Ok(expected("k")));
    }
    assert_eq!(
        upload("[1]", "", key),
        Err("config must be an object".to_owned())
    );
    let error = upload(r#"{"C":{}}"#, "", None).unwrap_err();
    assert!(error.starts_with("author must be given"), "{error}");
}

#[test]
fn each_shape_finds_its_data() {
    for (name, answer, expected) in [
        (
            "get_insights",
            r#"{"response_data":[1.10,1e400]}"#,
            "[1.10,1e400]",
        ),
        (
            "get_insights",
            r#"{"error_message":null,"response_data":null}"#,
            "null",
        ),
        (
            "get_suggested_config",
            r#"{"response_data":{"suggested_config":{"C":{}}}}"#,
            r#"{"C":{}}"#,
        ),
        (
            "get_config",
            r#"{"response_data":{"raw_configuration_data":{"C":1}}}"#,
            r#"{"u":{"C":1}}"#,
        ),
        (
            "get_aggregated_data_of_a_specific_segment",
            r#"{"response_data":{"{}":1,"x":2}}"#,
            r#"{"aggregated_data":{"{}":1,"x":2}}"#,
        ),
        (
            "get_config_history",
            r#"{"msg":"m","configs":[1]}"#,
            r#"{"msg":"m","configs":[1]}"#,
        ),
        (
            "validate_config",
            r#"{"response_data":{"valid":true},"issues":[],"error_message":0}"#,
            r#"{"valid":true}"#,
        ),
        ("create_sampling_factor", "{}", "true"),
    ] {
        assert_eq!(read(name, 200, answer), Ok(expected.to_owned()), "{name}");
    }
}

#[test]
fn failures_keep_the_services_words() {
    for (name, status, answer, expected) in [
        (
            "get_config",
            400,
            r#"{"response_data":"Bad argument"}"#,
            "Bad argument",
        ),
        (
            "get_config",
            500,
            r#"{"response_data":{"code":3}}"#,
            r#"{"code":3}"#,
        ),
        (
            "get_config",
            404,
            "<html>",
            "Could not get server response for the wanted service (status 404)",
        ),
        ("get_config", 403, r#"{"errors":["no"]}"#, r#"["no"]"#),
        ("get_config", 200, r#"{"error_message":"told"}"#, "told"),
        (
            "get_config",
            200,
            "{}",
            "The answer to get_config has no response_data",
        ),
        (
            "get_config",
            200,
            "[]",
            "The answer to get_config is not a JSON object",
        ),
        (
            "get_config",
            200,
            r#"{"response_data":null}"#,
            "The answer to get_config has no raw_configuration_data in its response_data",
        ),
        (
            "get_config_history",
            200,
            r#"{"msg":null}"#,
            "The answer to get_config_history has no msg: there is no history",
        ),
        (
            "validate_config",
            200,
            r#"{"response_data":{"issues":{"C":["bad"]}}}"#,
            r#"{"C":["bad"]}"#,
        ),
        (
            "validate_config_per_context_class",
            200,
            r#"{"issues":["bad"],"response_data":{}}"#,
            r#"["bad"]"#,
        ),
        (
            "validate_config",
            400,
            r#"{"error_message":"x","issues":[1]}"#,
            "[1]",
        ),
    ] {
        assert_eq!(
            read(name, status, answer),
            Err(expected.to_owned()),
            "{name} {answer}"
        );
    }
}

#[test]
fn names_and_parameters_stand_once() {
    for (position, service) in SERVICES.iter().enumerate() {
        assert!(
            SERVICES[..position]
                .iter()
                .all(|other| other.name != service.name)
        );
        for (place, parameter) in service.parameters.iter().enumerate() {
            let before = &service.parameters[..place];
            assert!(
                before.iter().all(|other| other.name != parameter.name),
                "{}",
                parameter.name
            );
        }
        assert!(service.response != Shape::Validation || service.path.contains("validate"));
    }
}
