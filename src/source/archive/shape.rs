//! What one JSON object of an archive is: a process, a snapshot, or neither. Pure.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::{Process, UtcMillis};
use crate::source::earlier::Earlier;
use crate::source::walk::{Bad, List, Lost, Nesting, Walk, in_words};

/// One object, as far as it could be read. The walk stands behind it.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every object is a process, and lives for a moment only"
)]
pub(super) enum Object {
    Process(Process),
    Snapshot(Moment),
    /// Its text is whole but says nothing that can be kept, and this is why.
    Bad(Bad),
    /// The text ends inside it, and nothing of it can be kept.
    Cut,
}

/// A snapshot: the processes of one moment.
#[derive(Debug)]
pub(super) struct Moment {
    pub observed_at: UtcMillis,
    pub list: List,
}

/// What to expect and what to leave out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// The last object was a snapshot, so the next is likely to be one. Only the speed hangs on it.
    pub expects_snapshot: bool,
    /// The processes of a snapshot are not wanted, only its time.
    pub time_only: bool,
}

/// Reads the object that begins where the walk stands; a snapshot like the earlier one.
pub(super) fn read_object(walk: &mut Walk<'_>, reading: Reading, earlier: &mut Earlier) -> Object {
    let start = walk.at;
    if reading.expects_snapshot {
        if let Some(found) = snapshot(walk, reading.time_only, earlier) {
            return found;
        }
        walk.at = start;
    }
    let error = match walk.process() {
        Ok(process) => return Object::Process(process),
        Err(error) => error,
    };
    if !reading.expects_snapshot {
        if let Some(found) = snapshot(walk, reading.time_only, earlier) {
            return found;
        }
        walk.at = start;
    }
    match walk.skip() {
        None => Object::Cut,
        Some(at) => {
            let reason = if is_stranger(walk.slice(&at)) {
                "neither a process nor a snapshot".to_owned()
            } else {
                in_words(&error, walk.slice(&at))
            };
            Object::Bad(Bad { at, reason })
        }
    }
}

/// Reads a snapshot; `None` if it is none: it names a process, or lists none.
fn snapshot(walk: &mut Walk<'_>, time_only: bool, earlier: &mut Earlier) -> Option<Object> {
    let start = walk.at;
    if !walk.eat(b'{') {
        return None;
    }
    let mut observed_at: Option<Result<UtcMillis, String>> = None;
    let mut list: Option<Result<List, String>> = None;
    let mut duplicate = None;
    let is_whole = loop {
        if walk.eat(b'}') {
            break true;
        }
        let Ok(name) = walk.value::<String>() else {
            break false;
        };
        if !walk.eat(b':') {
            break false;
        }
        match name.as_str() {
            "processId" => return None,
            "observedAt" => {
                if observed_at.is_some() {
                    duplicate = Some("observedAt");
                }
                let time = walk.value::<UtcMillis>();
                if time.is_err() && walk.value::<IgnoredAny>().is_err() {
                    break false;
                }
                observed_at = Some(time.map_err(|e| e.to_string()));
            }
            "processes" => {
                if list.is_some() {
                    duplicate = Some("processes");
                }
                let read = processes(walk, time_only, earlier);
                let goes_on = matches!(&read, Ok(list) if list.lost.is_none())
                    || (read.is_err() && walk.value::<IgnoredAny>().is_ok());
                list = Some(read);
                if !goes_on {
                    break false;
                }
            }
            // What else a snapshot says of itself has no place in the record.
            _ => {
                if walk.value::<IgnoredAny>().is_err() {
                    break false;
                }
            }
        }
        if !walk.eat(b',') && walk.peek() != Some(b'}') {
            break false;
        }
    };
    let list = list?;
    let lost_at = walk.at;
    let is_cut = !is_whole && !step_to_end(walk, start);
    let bad = |reason: String| {
        Some(Object::Bad(Bad {
            at: start..walk.at,
            reason,
        }))
    };
    if let Some(name) = duplicate {
        return bad(format!("duplicate field `{name}`"));
    }
    match (observed_at, list) {
        (Some(Ok(observed_at)), Ok(mut list)) => {
            if !is_whole && list.lost.is_none() {
                list.lost = Some(Lost {
                    at: lost_at,
                    cut: is_cut,
                });
            }
            if let Some(lost) = &mut list.lost {
                lost.cut = is_cut;
            }
            Some(Object::Snapshot(Moment { observed_at, list }))
        }
        _ if is_cut => Some(Object::Cut),
        (None, _) => bad("a snapshot without observedAt".to_owned()),
        (Some(Err(reason)), _) => bad(format!("observedAt: {reason}")),
        (_, Err(reason)) => bad(reason),
    }
}

fn processes(walk: &mut Walk<'_>, time_only: bool, earlier: &mut Earlier) -> Result<List, String> {
    if walk.peek() != Some(b'[') {
        return Err("processes: not an array".to_owned());
    }
    if time_only && walk.value::<IgnoredAny>().is_ok() {
        return Ok(List::default());
    }
    walk.at += 1;
    Ok(walk.processes(earlier))
}

/// Steps behind the malformed object that began at `start`; false if the text ends before it does.
fn step_to_end(walk: &mut Walk<'_>, start: usize) -> bool {
    let rest = walk.slice(&Range {
        start,
        end: usize::MAX,
    });
    let length = Nesting::default().feed(rest);
    walk.at = start + length.unwrap_or(rest.len());
    length.is_some()
}

/// Whether an object has no field of a process at all, so that to name the first one missing would
/// mislead.
fn is_stranger(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known {
        process_id: Option<IgnoredAny>,
        app_id: Option<IgnoredAny>,
        deployment_id: Option<IgnoredAny>,
        created_at: Option<IgnoredAny>,
        rooms_per_process: Option<IgnoredAny>,
        exposed_port: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Known>(json).is_ok_and(|known| {
        known.process_id.is_none()
            && known.app_id.is_none()
            && known.deployment_id.is_none()
            && known.created_at.is_none()
            && known.rooms_per_process.is_none()
            && known.exposed_port.is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: &str = r#"{"processId":"p","appId":"a","deploymentId":1,"region":"Tokyo","status":"running","roomsAllocated":0,"roomsPerProcess":1,"createdAt":"2024-05-01T00:00:00Z"}"#;
    const T: &str = r#""observedAt":"2024-05-01T00:00:00Z""#;

    fn told(text: &str) -> String {
        let mut told = Vec::new();
        for expects_snapshot in [false, true] {
            let mut walk = Walk::new(text.as_bytes(), 0);
            let reading = Reading {
                expects_snapshot,
                time_only: false,
            };
            let object = read_object(&mut walk, reading, &mut Earlier::default());
            told.push(match object {
                Object::Process(process) => format!("process {}", process.extra),
                Object::Bad(bad) => format!("bad {}: {}", &text[bad.at], bad.reason),
                Object::Cut => "cut".to_owned(),
                Object::Snapshot(moment) => {
                    let lost = moment.list.lost.map(|l| (&text[l.at..], l.cut));
                    let counts = (moment.list.processes.len(), moment.list.bad.len());
                    format!("snapshot {counts:?} {lost:?} rest {:?}", &text[walk.at..])
                }
            });
        }
        assert_eq!(told[0], told[1], "what is expected must not count: {text}");
        told.remove(0)
    }

    #[test]
    fn objects_are_told_by_what_they_hold() {
        let cases = [
            (PROCESS.to_owned(), "process {}"),
            (
                PROCESS.replacen('{', r#"{"processes":[1],"observedAt":"x","#, 1),
                r#"process {"observedAt":"x","processes":[1]}"#,
            ),
            (
                format!(r#"{{{T},"processes":[]}} x"#),
                r#"snapshot (0, 0) None rest " x""#,
            ),
            (
                format!(r#"{{"processes":[{PROCESS}, 1, {PROCESS}],"by":{{}}, {T}}}"#),
                r#"snapshot (2, 1) None rest """#,
            ),
            (
                format!(r#"{{{T},"processes":[{PROCESS},{{"pro"#),
                r#"snapshot (1, 0) Some(("{\"pro", true)) rest """#,
            ),
            (
                format!(r#"{{{T},"processes":[{PROCESS} 7], "x":1}},"#),
                r#"snapshot (1, 0) Some(("7], \"x\":1},", false)) rest ",""#,
            ),
            (
                format!(r#"{{{T},"processes":[{PROCESS}] nonsense}}"#),
                r#"snapshot (1, 0) Some(("nonsense}", false)) rest """#,
            ),
            (format!(r#"{{"processes":[{PROCESS},"#), "cut"),
            (format!(r#"{{{T},"proc"#), "cut"),
            (
                r#"{"message":"Not found"}"#.to_owned(),
                r#"bad {"message":"Not found"}: neither a process nor a snapshot"#,
            ),
            (
                format!(r#"{{{T}}}"#),
                r#"bad {"observedAt":"2024-05-01T00:00:00Z"}: neither a process nor a snapshot"#,
            ),
            (
                r#"{"processes":[]}"#.to_owned(),
                r#"bad {"processes":[]}: a snapshot without observedAt"#,
            ),
            (
                r#"{"processes":[],"processes":[]}"#.to_owned(),
                r#"bad {"processes":[],"processes":[]}: duplicate field `processes`"#,
            ),
            (
                format!(r#"{{{T},"processes":{{}}}}"#),
                r#"bad {"observedAt":"2024-05-01T00:00:00Z","processes":{}}: processes: not an array"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(told(&text), expected, "{text}");
        }
        for (text, reason) in [
            (
                r#"{"processes":[],"observedAt":"noon"}"#,
                "observedAt: \"noon\" is not",
            ),
            (
                r#"{"observedAt":17,"processes":[]}"#,
                "observedAt: invalid type",
            ),
            (r#"{"processId":"p"}"#, "missing field `appId`"),
            (r#"{"processId":tru}"#, "not JSON"),
        ] {
            let told = told(text);
            assert!(told.contains(reason), "{text}: {told}");
        }
    }

    #[test]
    fn a_look_for_the_time_reads_no_process() {
        let text = format!(r#"{{{T},"processes":[1,2,3]}}"#);
        let reading = Reading {
            time_only: true,
            ..Reading::default()
        };
        match read_object(
            &mut Walk::new(text.as_bytes(), 0),
            reading,
            &mut Earlier::default(),
        ) {
            Object::Snapshot(moment) => assert_eq!(moment.list.bad.len(), 0),
            other => panic!("{other:?}"),
        }
    }
}
