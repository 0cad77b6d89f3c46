//! A document of a host that turns on all features of `serde_json`.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "tests"))]

use std::collections::BTreeMap;

use ralph_state::document::{Document, Upgrades};
use serde::{Deserialize, Serialize};

/// A document that keeps what it does not know in the values of `serde_json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ledger {
    /// A number that is read and written as a float.
    pub total: f64,
    /// What it does not know.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Document for Ledger {
    const KIND: &'static str = "ledger";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ralph_state::ParallelStateFile;
    use ralph_state::document::{decode, encode};

    use super::*;

    #[test]
    fn goldens_are_the_same() {
        let accepted = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/parallel/accepted");
        let mut cases = 0;
        for case in std::fs::read_dir(accepted).unwrap() {
            let case = case.unwrap().path();
            let (state, _) =
                decode::<ParallelStateFile>(&std::fs::read(case.join("in.json")).unwrap()).unwrap();
            let golden = std::fs::read(case.join("out.json")).unwrap();
            assert_eq!(encode(&state).unwrap(), golden, "{}", case.display());
            cases += 1;
        }
        assert!(cases >= 40);
    }

    #[test]
    fn values_of_the_host_go_through() {
        let text = r#"{"version": 1, "total": 1.5, "small": 7, "negative": -7, "half": 0.5, "list": [1, {"z": 1, "a": 2}]}"#;
        let (ledger, _) = decode::<Ledger>(text.as_bytes()).unwrap();
        let again: serde_json::Value = serde_json::from_slice(&encode(&ledger).unwrap()).unwrap();
        let before: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(again, before);
    }

    /// A number beyond what a float holds: read it is rounded, written it is as the host has it.
    #[test]
    fn numbers_of_the_host_are_written_to_the_letter() {
        let big: serde_json::Value = serde_json::from_str("123456789012345678901.50").unwrap();
        let raw = serde_json::value::RawValue::from_string("[1.50, {}]".to_owned()).unwrap();
        let ledger = Ledger { total: 0.0, extra: BTreeMap::from([("big".to_owned(), big)]) };
        let text = String::from_utf8(encode(&ledger).unwrap()).unwrap();
        assert!(text.contains("123456789012345678901.50"), "{text}");
        assert_eq!(ralph_state::json::to_json(&raw).unwrap().to_string(), "[1.50, {}]");
        assert!(decode::<Ledger>(text.as_bytes()).is_ok());
    }

    /// Code written against 0.4.0 hands the types to `serde_json` itself.
    #[test]
    fn the_host_reads_and_writes_them_itself() {
        let text = r#"{"schema_version":3,"started_at":"","target_branch":"main","workers":[{"task_id":"A","workspace_path":"/w","lifecycle":"running","started_at":"","push_attempts":0,"y":-0.50,"z":{"b":1e+999,"a":[0.10]}}],"x":1.50,"big":123456789012345678901234567890,"less":-123456789012345678901234567890}"#;
        let state: ParallelStateFile = serde_json::from_str(text).unwrap();
        assert_eq!(state.extra.get("x").unwrap().to_string(), "1.50");
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&state).unwrap(), value);
        let again: ParallelStateFile = serde_json::from_value(value).unwrap();
        assert_eq!(again, state);
    }

    /// A file may hold what looks like a number of `serde_json`, and keeps it.
    #[test]
    fn an_object_that_looks_like_a_number_is_one() {
        let text = r#"{"schema_version": 3, "x": {"$serde_json::private::Number": "1.50"}}"#;
        let (state, _) = decode::<ParallelStateFile>(text.as_bytes()).unwrap();
        assert!(state.extra.get("x").unwrap().as_object().is_some());
        let bytes = encode(&state).unwrap();
        assert_eq!(decode::<ParallelStateFile>(&bytes).unwrap().0, state);
    }
}
