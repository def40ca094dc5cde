//! The API client against servers that answer byte for byte what each test wants.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prochist::source::api::{ApiError, Client, Filter, Info, Options, Token, TokenError};
use serde_json::json;

const EXAMPLE: &str = include_str!("fixtures/processv2-example.json");
const EXAMPLE_ID: &str = "cbfcddd2-0006-43ae-996c-995fff7bed2e";
const SECRET: &str = "hathora_org_st_5ecret";

/// Gives these answers, one a connection; joined, the requests that it got.
fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                connection.read_exact(&mut byte).expect("a whole request");
                request.push(byte[0]);
            }
            requests.push(String::from_utf8(request).expect("ASCII"));
            // A client that has seen enough may hang up.
            let _ = connection.write_all(answer.as_bytes());
        }
        requests
    });
    (base, server)
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn client(base: &str) -> Client {
    let token = Token::new(format!(" {SECRET}\n")).expect("a token");
    Client::new(base, token, Options::default()).expect("a base URL")
}

/// Everything that an error shows, causes included.
fn shown(error: &ApiError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

async fn latest_error(answer: String) -> ApiError {
    let (base, server) = serve(vec![answer]);
    let result = client(&base).latest("app-1", &Filter::default()).await;
    server.join().expect("one request");
    let error = result.expect_err("an error");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    error
}

#[tokio::test]
async fn a_list_is_asked_for_as_the_api_has_it() {
    let body = format!("[{EXAMPLE},{EXAMPLE}]");
    let (base, server) = serve(vec![answer("200 OK", &body), answer("200 OK", "[]")]);
    // A path in the base is a gateway's; a slash at its end is habit.
    let client = client(&format!("{base}/gateway/"));
    let filter = Filter {
        regions: vec!["Tokyo".into(), "a&b".into()],
        statuses: vec!["running".into(), "failed".into()],
    };
    let page = client.latest("app-1", &filter).await.expect("a page");
    assert_eq!(page.processes.len(), 2);
    assert_eq!(page.processes[0].process_id, EXAMPLE_ID);
    assert_eq!(client.received_bytes(), body.len() as u64);
    assert!(page.set_aside.is_empty());
    let all = client.latest("app-1", &Filter::default()).await;
    assert_eq!(all.expect("a page").processes, []);
    let requests = server.join().expect("two requests");
    let line = "GET /gateway/processes/v2/app-1/list/latest?status=running&status=failed&region=Tokyo&region=a%26b HTTP/1.1\r\n";
    assert!(requests[0].starts_with(line), "{}", requests[0]);
    let headers = requests[0].to_lowercase();
    assert!(headers.contains(&format!("authorization: bearer {SECRET}\r\n").to_lowercase()));
    let agent = format!("user-agent: prochist/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(headers.contains(&agent), "{headers}");
    let line = "GET /gateway/processes/v2/app-1/list/latest HTTP/1.1\r\n";
    assert!(requests[1].starts_with(line), "{}", requests[1]);
}

#[tokio::test]
async fn one_bad_record_of_ten_is_set_aside() {
    let bad = EXAMPLE.replace("\"roomsPerProcess\": 3", "\"roomsPerProcess\": \"three\"");
    let mut records = vec![EXAMPLE; 9];
    records.insert(4, &bad);
    let (base, server) = serve(vec![answer("200 OK", &format!("[{}]", records.join(",")))]);
    let page = client(&base).latest("app-1", &Filter::default()).await;
    let page = page.expect("a page");
    server.join().expect("one request");
    assert_eq!((page.processes.len(), page.set_aside.len()), (9, 1));
    let aside = &page.set_aside[0];
    assert!(
        aside.reason.starts_with("record 5: roomsPerProcess: "),
        "{aside}"
    );
    assert_eq!(aside.raw, bad.trim().as_bytes());
    assert!(
        aside.source.ends_with("/processes/v2/app-1/list/latest"),
        "{aside}"
    );
}

#[tokio::test]
async fn ids_are_encoded_and_cannot_leave_their_place() {
    let (base, server) = serve(vec![
        answer("404 Not Found", ""),
        answer("404 Not Found", ""),
    ]);
    let client = client(&base);
    let info = client.info("a/b?c", "../x y#%2e").await;
    assert_eq!(info.expect("an answer"), Info::Unknown);
    let count = client.count("é", &Filter::default()).await;
    assert_eq!(count.expect("an answer"), None);
    for id in ["", ".", ".."] {
        assert!(matches!(
            client.info("app", id).await,
            Err(ApiError::BadId { .. })
        ));
        let page = client.latest(id, &Filter::default()).await;
        assert!(matches!(page, Err(ApiError::BadId { .. })));
    }
    let requests = server.join().expect("two requests");
    let line = "GET /processes/v2/a%2Fb%3Fc/info/..%2Fx%20y%23%252e HTTP/1.1\r\n";
    assert!(requests[0].starts_with(line), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /processes/v2/%C3%A9/count HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_is_said_of_one_process_is_told_apart() {
    let other = EXAMPLE.replace(EXAMPLE_ID, "another");
    let (base, server) = serve(vec![
        answer("200 OK", EXAMPLE),
        answer("404 Not Found", &json!({"message": "gone"}).to_string()),
        answer("200 OK", &other),
        answer("200 OK", "{}"),
        answer("404 Not Found", "<html>no such site</html>"),
        answer("200 OK", &EXAMPLE[..100]),
        answer("200 OK", "<html>log in</html>"),
    ]);
    let client = client(&base);
    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(match client.info("app-1", EXAMPLE_ID).await {
            Ok(Info::Known(process)) => process.process_id,
            Ok(Info::Unknown) => "unknown".to_owned(),
            Ok(Info::SetAside(aside)) => aside.reason,
            Err(ApiError::Status { code, .. }) => code.to_string(),
            Err(ApiError::Truncated { .. }) => "truncated".to_owned(),
            Err(ApiError::NotJson { hint, .. }) => hint,
            Err(error) => panic!("{error}"),
        });
    }
    server.join().expect("seven requests");
    let expected = [
        EXAMPLE_ID,
        "unknown",
        "describes another process, \"another\"",
        "missing field `processId` at line 1 column 2",
        // A web page is not the API's word that a process is gone.
        "404",
        "truncated",
        "it sent a web page (HTML)",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_count_is_a_number_or_not_offered() {
    let (base, server) = serve(vec![
        answer("200 OK", r#"{"count": 17}"#),
        answer("404 Not Found", ""),
        answer("200 OK", r#"{"count": -1}"#),
    ]);
    let client = client(&base);
    let filter = Filter::default();
    assert_eq!(client.count("a", &filter).await.expect("a count"), Some(17));
    assert_eq!(client.count("a", &filter).await.expect("an answer"), None);
    let error = client.count("a", &filter).await.expect_err("no count");
    assert!(matches!(error, ApiError::NotJson { .. }), "{error}");
    server.join().expect("three requests");
}

#[tokio::test]
async fn errors_are_told_apart_by_what_can_be_done() {
    let message = |text: &str| json!({ "message": text }).to_string();
    let cases = [
        (
            "401 Unauthorized",
            message("bad token"),
            "refused the token (HTTP 401): bad token",
            false,
        ),
        (
            "403 Forbidden",
            String::new(),
            "refused the token (HTTP 403)",
            false,
        ),
        (
            "404 Not Found",
            message("no app"),
            "does not know the app app-1",
            false,
        ),
        (
            "404 Not Found",
            "<p>lost".into(),
            "answered HTTP 404: a web page (HTML)",
            false,
        ),
        (
            "422 Unprocessable",
            message("region\n?"),
            "rejected the request: region\\n?",
            false,
        ),
        (
            "408 Timeout",
            message("slow"),
            "answered HTTP 408: slow",
            true,
        ),
        (
            "429 Too Many",
            message("wait"),
            "answered HTTP 429: wait",
            true,
        ),
        ("500 Oops", "stack".into(), "answered HTTP 500: stack", true),
        (
            "502 Bad Gateway",
            "<html>".into(),
            "answered HTTP 502: a web page (HTML)",
            true,
        ),
        ("503 Unavailable", String::new(), "answered HTTP 503", true),
        ("504 Timeout", String::new(), "answered HTTP 504", true),
        (
            "501 Not Implemented",
            String::new(),
            "answered HTTP 501",
            true,
        ),
        ("204 No Content", String::new(), "answered HTTP 204", false),
        (
            "200 OK",
            "<!DOCTYPE html>".into(),
            "did not answer as a ProcessV2 API: it sent a web page (HTML)",
            true,
        ),
        (
            "200 OK",
            String::new(),
            "did not answer as a ProcessV2 API: it sent nothing",
            true,
        ),
        (
            "200 OK",
            message("hi"),
            "did not answer as a ProcessV2 API: not a list of processes: hi",
            false,
        ),
        (
            "200 OK",
            format!("[{EXAMPLE}] x"),
            "did not answer as a ProcessV2 API: malformed JSON",
            true,
        ),
        (
            "200 OK",
            format!("[{EXAMPLE},"),
            "sent an answer that is cut off",
            true,
        ),
    ];
    for (status, body, text, is_retryable) in cases {
        let error = latest_error(answer(status, &body)).await;
        assert!(error.to_string().contains(text), "{status} {body}: {error}");
        assert_eq!(error.is_retryable(), is_retryable, "{error}");
    }
    let long = message(&"x".repeat(1000));
    let error = latest_error(answer("422 Unprocessable", &long)).await;
    assert!(error.to_string().len() < 400, "{error}");
}

#[tokio::test]
async fn connections_that_fail_may_be_tried_again() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let base = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let error = client(&base).latest("a", &Filter::default()).await;
    let error = error.expect_err("nobody listens");
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("could not reach {base}/"))
    );
    assert!(error.source().is_some() && error.is_retryable());

    // Accepted by the system, answered by nobody.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let base = format!("http://{}", silent.local_addr().expect("an address"));
    let token = Token::new(SECRET.into()).expect("a token");
    let options = Options {
        request_timeout: Duration::from_millis(20),
        ..Options::default()
    };
    let client = Client::new(&base, token, options).expect("a base URL");
    let error = client
        .latest("a", &Filter::default())
        .await
        .expect_err("no answer");
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
    assert!(error.is_retryable() && !shown(&error).contains(SECRET));

    let hung_up = latest_error(String::new()).await;
    assert!(
        matches!(hung_up, ApiError::Unreachable { .. }),
        "{hung_up:?}"
    );
    let whole = answer("200 OK", "[                    ]");
    let cut = latest_error(whole[..whole.len() - 5].to_owned()).await;
    assert!(
        matches!(
            cut,
            ApiError::Truncated {
                source: Some(_),
                ..
            }
        ),
        "{cut:?}"
    );
    assert!(cut.is_retryable());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[";
    let error = latest_error(format!("{head}{}", " ".repeat(17 * 1024 * 1024))).await;
    assert!(matches!(error, ApiError::TooLarge { .. }), "{error:?}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_token_away() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = elsewhere.local_addr().expect("an address").port();
    elsewhere.set_nonblocking(true).expect("a mode");
    let redirect = format!(
        "HTTP/1.1 307 Moved\r\nLocation: http://localhost:{port}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let error = latest_error(redirect).await;
    let told = format!("answered HTTP 307: a redirect to http://localhost:{port}/x");
    assert!(error.to_string().ends_with(&told), "{error}");
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

#[test]
fn base_urls_are_checked_and_their_secrets_not_shown() {
    let new = |base: &str| {
        let token = Token::new(SECRET.into()).expect("a token");
        Client::new(base, token, Options::default())
    };
    for good in [
        "https://api.example",
        "http://127.0.0.1:8080/a/b/",
        "http://[::1]:1",
    ] {
        assert!(new(good).is_ok(), "{good}");
    }
    for (bad, text) in [
        ("", " is no base URL: relative URL without a base"),
        (
            "api.example",
            "api.example is no base URL: relative URL without a base",
        ),
        ("ftp://x", "ftp://x is no base URL: neither http nor https"),
        ("https://", "https:// is no base URL: empty host"),
        (
            "https://u:pw@x",
            "… is no base URL: credentials do not belong in it",
        ),
        (
            "https://u:p w@x:port",
            "… is no base URL: invalid port number",
        ),
        (
            "https://x/?a=b",
            "https://x/?a=b is no base URL: a query or fragment does not belong in it",
        ),
    ] {
        let error = new(bad).expect_err(bad);
        assert_eq!(error.to_string(), text);
        assert!(!shown(&error).contains("pw"), "{}", shown(&error));
    }
}

/// Does not compile where the type has the trait: then it is not clear which function is meant.
macro_rules! lacks {
    ($type:ty: $($lacked:path),+) => {$({
        trait OfAll<A> {
            fn which() {}
        }
        struct OfThose;
        impl<T: ?Sized> OfAll<()> for T {}
        impl<T: ?Sized + $lacked> OfAll<OfThose> for T {}
        <$type as OfAll<_>>::which();
    })+};
}

#[test]
fn a_token_can_be_neither_displayed_nor_serialized_nor_taken_as_text() {
    lacks!(Token: std::fmt::Display, serde::Serialize, AsRef<str>, std::ops::Deref<Target = str>);
    lacks!(Token: Into<String>, PartialEq, Copy);
}

#[test]
fn a_token_shows_nothing() {
    let token = Token::new(format!("{SECRET}\r\n")).expect("a token");
    assert_eq!(format!("{token:?}"), "Token(…)");
    let client = Client::new("https://api.example", token, Options::default());
    let client = client.expect("a base URL");
    assert!(!format!("{client:?}{client:#?}").contains(SECRET));
    assert_eq!(Token::new(" \n".into()).err(), Some(TokenError::Empty));
    for text in ["a b", "a\nb", "tökén", "a\0"] {
        let error = Token::new(text.into()).expect_err("not a token");
        assert_eq!(error, TokenError::NotHeaderSafe);
        assert!(!format!("{error} {error:?}").contains(text));
    }
}
