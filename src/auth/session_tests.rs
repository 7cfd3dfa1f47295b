use super::*;
use crate::asynchronous;
use crate::auth::flight::Step;
use crate::auth::mona;
use crate::config::Config;
use crate::events::Events;
use crate::transport::{End, Pending, Reply};
use serde_json::json;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

/// A call's time of which some is left when it leaves its login behind, after a second: to send the next request, say.
const SPARE_TIME: Option<u64> = Some(20_000);

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers logins from a list, each when its turn has come.
struct Scripted(Mutex<mpsc::Receiver<Result<f64, &'static str>>>);

impl Authenticator for Scripted {
    fn login(&self, _flight: &Flight) -> Result<Token, Attempt> {
        match lock(&self.0).recv() {
            Ok(Ok(lifetime)) => Ok(token(lifetime, Instant::now())),
            Ok(Err("unfinished")) => Err(Attempt::unfinished()),
            Ok(Err(message)) => Err(Attempt {
                error: Error::Authentication {
                    message: message.to_owned(),
                    retriable: false,
                },
                repeat: false,
                unfinished: false,
            }),
            Err(_) => panic!("one login too many"),
        }
    }

    fn renewable(&self) -> bool {
        true
    }
}

fn token(lifetime: f64, obtained: Instant) -> Token {
    let access = crate::config::Secret::new("t".to_owned());
    Token::new(access, None, obtained, Some(lifetime))
}

type Script = mpsc::Sender<Result<f64, &'static str>>;

fn scripted() -> (Script, Box<dyn Authenticator>) {
    let (script, receiver) = mpsc::channel();
    (script, Box::new(Scripted(Mutex::new(receiver))))
}

fn with_context<T>(timeout_ms: Option<u64>, f: impl FnOnce(&Context) -> T) -> T {
    let config = Config::read(None, &|_| None).unwrap();
    let events = Events::new(asynchronous::limits(&config));
    let (transport, logger) = (Transport::new(&config), Logger::new(&config, events));
    f(&Context {
        transport: &transport,
        logger: &logger,
        deadline: Deadline::after(timeout_ms),
        retries: 0,
        retry_wait: Duration::ZERO,
        margin_hours: 12.0,
    })
}

fn ask(session: &Session, need: Need) -> Result<Arc<Token>, String> {
    with_context(None, |context| {
        session.token(context, need).map_err(|e| e.to_string())
    })
}

/// Lets the back-off pass at once.
fn end_back_off(session: &Session) {
    lock(&session.state).retry_at = Some(Instant::now());
}

#[test]
fn after_a_failure_the_next_login_waits_for_the_back_off() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Err("first")).unwrap();
    assert_eq!(ask(&session, Need::Call).unwrap_err(), "first");
    lock(&session.state).retry_at = Some(Instant::now() + Duration::from_secs(3600));
    assert_eq!(ask(&session, Need::Call).unwrap_err(), "first");
    script.send(Err("second")).unwrap();
    end_back_off(&session);
    assert_eq!(ask(&session, Need::Call).unwrap_err(), "second");
    script.send(Ok(3600.0)).unwrap();
    end_back_off(&session);
    assert!(ask(&session, Need::Call).is_ok());
    assert!(session.active());
}

#[test]
fn a_new_client_does_not_wait_for_the_back_off() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Err("first")).unwrap();
    assert!(ask(&session, Need::First).is_err());
    script.send(Ok(3600.0)).unwrap();
    assert!(ask(&session, Need::First).is_ok());
}

#[test]
fn who_waited_for_anothers_attempt_has_tried() {
    assert!(matches!(Need::First.after_another(), Need::Call));
    let token = Arc::new(Token::none());
    let refused = Need::Refused(&token).after_another();
    assert!(matches!(refused, Need::Refused(_)));
}

#[test]
fn the_back_off_doubles_from_two_seconds_to_a_minute() {
    for (failures, ceiling) in (0..).zip([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
        let wait = back_off(failures).as_secs_f64();
        assert!(
            (ceiling * 0.5..=ceiling).contains(&wait),
            "{wait} of {ceiling}"
        );
    }
}

#[test]
fn a_token_serves_until_it_expires_even_if_it_cannot_be_renewed() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Ok(0.0)).unwrap();
    let first = ask(&session, Need::Call).unwrap();
    script.send(Err("no")).unwrap();
    assert_eq!(ask(&session, Need::Call).unwrap_err(), "no");
    script.send(Ok(3600.0)).unwrap();
    end_back_off(&session);
    let second = ask(&session, Need::Call).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    // Inside its margin, but not expired: the failure to renew it is nobody's concern.
    let mut state = lock(&session.state);
    state.fail(&Error::Closed);
    assert!(state.usable(12.0).is_some());
}

#[test]
fn a_refused_token_is_void_unless_it_was_replaced_already() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Ok(3600.0)).unwrap();
    let first = ask(&session, Need::Call).unwrap();
    script.send(Ok(3600.0)).unwrap();
    let second = ask(&session, Need::Refused(&first)).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    let late = ask(&session, Need::Refused(&first)).unwrap();
    assert!(Arc::ptr_eq(&late, &second));
}

#[test]
fn a_server_that_refuses_every_token_does_not_cost_a_login_each_time() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    let login = || script.send(Ok(3600.0)).unwrap();
    login();
    let mut token = ask(&session, Need::Call).unwrap();
    // The first is replaced at once, each further one when it has served for a time that doubles.
    for serves in [0, 2, 4, 8] {
        let age = |seconds| {
            let aged = token_of_age(Duration::from_secs(seconds));
            lock(&session.state).token = Some(aged.clone());
            aged
        };
        if serves > 0 {
            let young = age(serves - 1);
            let kept = ask(&session, Need::Refused(&young)).unwrap();
            assert!(Arc::ptr_eq(&kept, &young), "{serves}");
            token = age(serves);
        }
        login();
        let next = ask(&session, Need::Refused(&token)).unwrap();
        assert!(!Arc::ptr_eq(&next, &token), "{serves}");
        token = next;
    }
    // One that served for long is replaced at once, but not the one after it.
    token = token_of_age(LONGEST_BACK_OFF);
    lock(&session.state).token = Some(token.clone());
    login();
    let next = ask(&session, Need::Refused(&token)).unwrap();
    assert_eq!(lock(&session.state).refusals, 1);
    let kept = ask(&session, Need::Refused(&next)).unwrap();
    assert!(Arc::ptr_eq(&kept, &next));
    // So is one that a server took meanwhile.
    next.mark_taken();
    login();
    let last = ask(&session, Need::Refused(&next)).unwrap();
    assert!(!Arc::ptr_eq(&last, &next));
}

fn token_of_age(age: Duration) -> Arc<Token> {
    Arc::new(token(36_000.0, Instant::now() - age))
}

#[test]
fn a_session_without_a_token_goes_with_its_last_client() {
    let identity = Identity {
        mode: "test",
        login_url: String::new(),
        refresh_url: None,
        api_key: Some(crate::config::Secret::new("last".to_owned())),
        secret: None,
        scope: None,
        route: 0,
    };
    let share = || Session::shared(&identity, || scripted().1);
    let [first, second] = [share(), share()];
    assert!(Arc::ptr_eq(&first, &second));
    // Both still hold it, as clients do that are freed at the same time.
    first.release();
    assert!(Arc::ptr_eq(&share(), &first));
    first.release();
    second.release();
    assert!(!Arc::ptr_eq(&share(), &first));
}

#[test]
fn one_identity_never_waits_for_another() {
    let identity = |key: &str| Identity {
        mode: "test",
        login_url: String::new(),
        refresh_url: None,
        api_key: Some(crate::config::Secret::new(key.to_owned())),
        secret: None,
        scope: None,
        route: 0,
    };
    let (slow_script, slow) = scripted();
    let (fast_script, fast) = scripted();
    let slow = Session::shared(&identity("slow"), || slow);
    let fast = Session::shared(&identity("fast"), || fast);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&slow, Need::Call));
        while !lock(&slow.state).in_flight {
            std::thread::yield_now();
        }
        fast_script.send(Ok(3600.0)).unwrap();
        assert!(ask(&fast, Need::Call).is_ok());
        let out_of_time = with_context(Some(1), |context| slow.token(context, Need::Call));
        assert_eq!(out_of_time.unwrap_err().kind(), "timeout");
        slow_script.send(Ok(3600.0)).unwrap();
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
fn a_call_that_had_too_little_time_keeps_nobody_else_out() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Err("unfinished")).unwrap();
    let late = with_context(Some(0), |context| session.token(context, Need::Call));
    assert!(late.is_err());
    script.send(Ok(3600.0)).unwrap();
    assert!(ask(&session, Need::Call).is_ok());
}

#[test]
fn a_panic_in_a_login_leaves_nobody_waiting() {
    let (script, authenticator) = scripted();
    drop(script);
    let session = Session::private(authenticator);
    let login = std::panic::AssertUnwindSafe(|| ask(&session, Need::Call));
    assert!(std::panic::catch_unwind(login).is_err());
    assert!(!lock(&session.state).in_flight);
}

/// A session by API key at a server that takes requests and answers when it is told to.
fn by_key(server: &TcpListener) -> Arc<Session> {
    let url = format!("http://{}", server.local_addr().unwrap());
    let refresh = format!("{url}/refresh");
    let config = json!({"api_key": "k", "secret": "s", "auth_api_token_url": url, "refresh_token_url": refresh});
    mona::session(&Config::read(Some(&config.to_string()), &|_| None).unwrap()).unwrap()
}

#[test]
fn a_token_that_serves_is_not_kept_back_by_its_renewal() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let session = by_key(&server);
    let old = Arc::new(token(3600.0, Instant::now() - Duration::from_secs(3000)));
    lock(&session.state).token = Some(old.clone());
    with_context(SPARE_TIME, |context| {
        let first = session.token(context, Need::Call).unwrap();
        assert!(Arc::ptr_eq(&first, &old));
        let (mut connection, _) = server.accept().unwrap();
        answer(
            &mut connection,
            r#"{"accessToken": "new", "expiresIn": 3600}"#,
        );
        server.set_nonblocking(true).unwrap();
        let start = Instant::now();
        while Arc::ptr_eq(&session.token(context, Need::Call).unwrap(), &old) {
            assert!(start.elapsed() < PATIENCE);
            let another = server.accept().map(drop).unwrap_err().kind();
            assert_eq!(another, ErrorKind::WouldBlock);
        }
    });
}

fn answer(connection: &mut TcpStream, body: &str) {
    read_head(connection);
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    connection.write_all(answer.as_bytes()).unwrap();
}

/// The first line of a request.
fn read_head(connection: &TcpStream) -> String {
    let mut request = BufReader::new(connection.try_clone().unwrap());
    let (mut first, mut line) = (String::new(), String::new());
    request.read_line(&mut first).unwrap();
    while request.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    first
}

const FRESH: &str = r#"{"accessToken": "new", "expiresIn": 3600}"#;

/// Leaves a request for a login behind, as a call does that has no time for it.
fn leave_behind(session: &Session) -> Reply<End> {
    let (reply, pending) = Pending::new("s", Instant::now() + Duration::from_secs(3600));
    *lock(&session.left_behind) = Some((Step::Login, pending));
    reply
}

/// What a call gets that finds a login left behind, and a server at which logins work.
fn found(ended: impl FnOnce(Reply<End>)) -> Result<Arc<Token>, String> {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let session = by_key(&server);
    ended(leave_behind(&session));
    let serving = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        answer(&mut connection, FRESH);
    });
    let found = ask(&session, Need::Call);
    if found.is_ok() {
        serving.join().unwrap();
    }
    found
}

#[test]
fn a_login_that_was_left_behind_and_lost_is_made_anew() {
    assert!(found(drop).is_ok());
}

#[test]
fn a_failure_that_was_left_behind_counts_as_long_as_its_back_off() {
    let failed = |age| {
        let at = Instant::now() - Duration::from_secs(age);
        let result = Err(Error::Closed);
        move |reply: Reply<End>| reply.send(End { at, result })
    };
    assert!(found(failed(60)).is_ok());
    let error = found(failed(0)).unwrap_err();
    assert!(error.contains(&Error::Closed.to_string()), "{error}");
}

#[test]
fn a_call_that_has_time_left_waits_for_what_a_shorter_patience_left_behind() {
    let (script, authenticator) = scripted();
    let session = Session::private(authenticator);
    script.send(Err("unfinished")).unwrap();
    script.send(Ok(3600.0)).unwrap();
    assert!(ask(&session, Need::Call).is_ok());
}

#[test]
fn a_login_that_was_left_behind_after_a_refused_refresh_is_taken_up() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let session = by_key(&server);
    let secret = |text: &str| crate::config::Secret::new(text.to_owned());
    let obtained = Instant::now() - Duration::from_secs(3000);
    let old = Token::new(secret("t"), Some(secret("r")), obtained, Some(3600.0));
    let old = Arc::new(old);
    lock(&session.state).token = Some(old.clone());
    let call = || with_context(SPARE_TIME, |context| session.token(context, Need::Call));
    let call_until = |done: &dyn Fn(&Arc<Token>) -> bool| {
        let start = Instant::now();
        while !done(&call().unwrap()) {
            assert!(start.elapsed() < PATIENCE);
        }
    };
    // Keeps the connection.
    with_context(None, |_| {
        assert!(Arc::ptr_eq(&call().unwrap(), &old));
        let (mut connection, _) = server.accept().unwrap();
        assert!(read_head(&connection).contains("/refresh"));
        let no = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}";
        connection.write_all(no.as_bytes()).unwrap();
        let logs_in = || matches!(*lock(&session.left_behind), Some((Step::Login, _)));
        call_until(&|_| logs_in());
        assert!(Arc::ptr_eq(&call().unwrap(), &old));
        answer(&mut connection, FRESH);
        call_until(&|token| !Arc::ptr_eq(token, &old));
        connection.set_nonblocking(true).unwrap();
        let more = connection.read(&mut [0]).unwrap_err().kind();
        assert_eq!(more, ErrorKind::WouldBlock);
    });
}
