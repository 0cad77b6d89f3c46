//! What a merge may make of a field, said a second time and shorter than the merge says it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ralph_state::Timestamp;

use super::{fields, progress};
use crate::task::{FORMER_IDS, Field, Task};
use crate::value::{Map, Value};

/// [`check`] of each task, but for some fields. A task is known by the time at which it was made,
/// also where another one names it. Each is to have an id of its own.
pub(super) fn check_tasks(
    sides: &[Vec<Task>; 3],
    merged: &[Task],
    left_out: &[Field],
) -> Result<(), TestCaseError> {
    let by_time = |tasks: &[Task]| -> BTreeMap<String, Map> {
        let made = |task: &Task| task.created_at.clone().unwrap();
        let by_id: BTreeMap<&str, String> =
            tasks.iter().map(|task| (task.id.as_str(), made(task))).collect();
        let others = |task: &Task| {
            let mut task = task.clone();
            task.custom_fields.remove(FORMER_IDS);
            let Task { depends_on, blocks, relates_to, duplicates, parent_id, .. } = &mut task;
            let lists = [depends_on, blocks, relates_to].into_iter().flatten();
            for other in lists.chain(duplicates).chain(parent_id) {
                other.clone_from(&by_id[other.as_str()]);
            }
            let mut fields = fields(Some(&task));
            fields.retain(|name, _| left_out.iter().all(|field| field.name() != name));
            fields
        };
        tasks.iter().map(|task| (made(task), others(task))).collect()
    };
    let sides = sides.each_ref().map(|tasks| by_time(tasks));
    for (made, merged) in by_time(merged) {
        match sides.each_ref().map(|side| side.get(&made)) {
            [_, Some(one), None] | [_, None, Some(one)] => prop_assert_eq!(one, &merged),
            versions => {
                let empty = Map::new();
                check(versions.map(|version| version.unwrap_or(&empty)), &merged)?;
            }
        }
    }
    Ok(())
}

/// Whether each field of `merged` is what becomes of the three versions. Where both sides changed
/// one, not all that the merge does is told here: only that nothing got lost or came from nowhere.
pub(super) fn check(sides: [&Map; 3], merged: &Map) -> Result<(), TestCaseError> {
    let names: BTreeSet<&String> =
        sides.iter().flat_map(|side| side.keys()).chain(merged.keys()).collect();
    for name in names {
        check_value(name, sides.map(|side| side.get(name)), merged.get(name))
            .map_err(|error| TestCaseError::fail(format!("{error}: {name} of {sides:?}")))?;
    }
    Ok(())
}

fn check_value(
    field: &str,
    [base, ours, theirs]: [Option<&Value>; 3],
    merged: Option<&Value>,
) -> Result<(), TestCaseError> {
    if field == "completed_at" && (ours.is_none() || theirs.is_none()) && merged.is_some() {
        // Where one side opened it again, and the end of the other stands.
        prop_assert!(merged == ours || merged == theirs);
        return Ok(());
    }
    if ours == theirs || theirs == base {
        prop_assert_eq!(merged, ours);
        return Ok(());
    }
    if ours == base {
        prop_assert_eq!(merged, theirs);
        return Ok(());
    }
    prop_assert!(merged.is_some() || ours.is_none() || theirs.is_none());
    let (Some(one), Some(other), Some(merged)) = (ours, theirs, merged) else {
        prop_assert!(merged == ours || merged == theirs);
        return Ok(());
    };
    match (one, other, merged) {
        (Value::Array(ours), Value::Array(theirs), Value::Array(merged)) => {
            let base = base.and_then(Value::as_array).unwrap_or_default();
            let times = |list: &[Value], item| list.iter().filter(|it| *it == item).count();
            for item in base.iter().chain(ours).chain(theirs).chain(merged) {
                let [base, ours, theirs, merged] =
                    [base, ours, theirs, merged].map(|list| times(list, item));
                prop_assert!(merged <= base.max(ours).max(theirs), "{} is too often", item);
                // Of what is there twice, each side may have removed another one.
                if base <= ours && base <= theirs {
                    prop_assert!(merged >= ours.min(1).max(theirs.min(1)), "{} is lost", item);
                }
            }
        }
        (Value::Object(ours), Value::Object(theirs), Value::Object(merged)) => {
            let empty = Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            check([base, ours, theirs], merged)?;
        }
        _ => {
            prop_assert!(merged == one || merged == other);
            let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
            let [one_at, other_at, merged_at] = [one, other, merged].map(time);
            match field {
                "status" => {
                    prop_assert_eq!(progress(merged), progress(one).max(progress(other)));
                }
                "updated_at" | "completed_at" => {
                    prop_assert_eq!(merged_at, one_at.max(other_at));
                }
                // What is no time counts as the first.
                "started_at" => prop_assert_eq!(merged_at, one_at.min(other_at)),
                _ => {}
            }
        }
    }
    Ok(())
}
