//! A task's end entered into whatever the target's queue has become.

use ralph_queue::landing::{
    Outcome, TextError, Texts, adopt_tasks, finish_task, new_tasks, under_own_id,
};
use ralph_queue::{Document, EditError, Finish, IdRules, Status};

use super::{ids, now, text};

fn tasks(text: &str) -> String {
    ids(Document::parse(text).unwrap().tasks())
}

#[test]
fn a_task_is_finished_on_whatever_the_target_has_become() {
    let queue = text(&["", r#""status": "draft""#]);
    let task = Document::parse(queue.as_str()).unwrap().tasks()[1].clone();

    let texts = Texts { queue: &queue, done: None };
    let finished = finish_task(texts, &task, Finish::InPlace, now(), Some("landed")).unwrap();
    assert_eq!(
        (tasks(&finished.queue).as_str(), finished.done, finished.outcome),
        ("RQ-0001:todo RQ-0002:done", None, Outcome::Finished)
    );

    let again = Texts { queue: &finished.queue, done: None };
    let again = finish_task(again, &task, Finish::Archive, now(), None).unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyFinished { status: Status::Done });
    assert_eq!((again.queue, again.done), (finished.queue, None));

    let moved = finish_task(texts, &task, Finish::Archive, now(), None).unwrap();
    let done = moved.done.unwrap();
    assert_eq!(
        (tasks(&moved.queue).as_str(), tasks(&done).as_str()),
        ("RQ-0001:todo", "RQ-0002:done")
    );
    let again = finish_task(
        Texts { queue: &moved.queue, done: Some(&done) },
        &task,
        Finish::Archive,
        now(),
        None,
    )
    .unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyFinished { status: Status::Done });

    let without = text(&[""]);
    let added =
        finish_task(Texts { queue: &without, done: None }, &task, Finish::Archive, now(), None)
            .unwrap();
    assert_eq!(
        (added.outcome, tasks(&added.done.unwrap()).as_str()),
        (Outcome::Added, "RQ-0002:done")
    );
    let added =
        finish_task(Texts { queue: &without, done: None }, &task, Finish::InPlace, now(), None)
            .unwrap();
    assert_eq!(tasks(&added.queue), "RQ-0001:todo RQ-0002:done");
}

#[test]
fn follow_ups_of_an_agent_are_adopted() {
    let base = text(&[""]);
    let edited = text(&[
        r#""status": "doing""#,
        r#""depends_on": ["RQ-0001"]"#,
        r#""depends_on": ["RQ-0002"]"#,
    ]);
    let new = new_tasks(&base, &edited, &IdRules::default()).unwrap();
    assert_eq!(ids(&new), "RQ-0002:todo RQ-0003:todo");

    let (same, renamed) =
        adopt_tasks(Texts { queue: &base, done: None }, &new, &IdRules::default(), now()).unwrap();
    assert_eq!(
        (tasks(&same).as_str(), renamed.len()),
        ("RQ-0001:todo RQ-0002:todo RQ-0003:todo", 0)
    );

    let target = text(&["", r#""status": "draft""#]);
    let (queue, renamed) =
        adopt_tasks(Texts { queue: &target, done: None }, &new, &IdRules::default(), now())
            .unwrap();
    assert_eq!(tasks(&queue), "RQ-0001:todo RQ-0002:draft RQ-0004:todo RQ-0003:todo");
    assert_eq!(Document::parse(queue).unwrap().tasks()[3].depends_on, ["RQ-0004"]);
    assert_eq!(renamed.len(), 1);
}

#[test]
fn a_follow_up_under_the_id_of_another_task_is_new_and_an_edited_task_is_not() {
    let base = text(&["", ""]);
    let new = |edited: &str| {
        let new = new_tasks(&base, edited, &IdRules::default()).unwrap();
        let told =
            new.iter().map(|task| format!("{} {} {:?}", task.id, task.title, task.depends_on));
        told.collect::<Vec<_>>().join("; ")
    };
    let edited = text(&[r#""status": "doing""#, "", "", r#""depends_on": ["RQ-0001"]"#]);
    let edited = edited.replace("RQ-0003", "RQ-0001");
    assert_eq!(new(&edited), r#"RQ-0005 task 0003 []; RQ-0004 task 0004 ["RQ-0001"]"#);
    assert_eq!(new(&base.replace("task 0002", "renamed")), "");
    let twins = base.replace("RQ-0002", "RQ-0001");
    assert!(new_tasks(&twins, &twins, &IdRules::default()).unwrap().is_empty());
    // The same task twice, and no other.
    assert_eq!(new(&text(&["", "", ""]).replace("0003", "0002")), "");
}

#[test]
fn follow_ups_that_have_one_id_get_one_each() {
    let edited = text(&["", "", "", r#""depends_on": ["RQ-0002"]"#]);
    let new = new_tasks(&text(&[""]), &edited.replace("RQ-0003", "RQ-0002"), &IdRules::default())
        .unwrap();
    for (target, adopted, named) in [
        (text(&[""]), "RQ-0001:todo RQ-0002:todo RQ-0005:todo RQ-0004:todo", "RQ-0002"),
        (
            text(&["", r#""status": "draft""#]),
            "RQ-0001:todo RQ-0002:draft RQ-0005:todo RQ-0006:todo RQ-0004:todo",
            "RQ-0005",
        ),
    ] {
        let texts = Texts { queue: &target, done: None };
        let (queue, _) = adopt_tasks(texts, &new, &IdRules::default(), now()).unwrap();
        assert_eq!(tasks(&queue), adopted);
        assert_eq!(Document::parse(queue).unwrap().tasks().last().unwrap().depends_on, [named]);
    }
}

#[test]
fn of_two_tasks_with_one_id_the_version_of_the_landed_one_is_finished() {
    let twins = text(&["", ""]).replace("RQ-0002", "RQ-0001");
    let tasks = |text: &str| Document::parse(text).unwrap().tasks().to_vec();
    let of = |queue: &str, done: Option<&str>, task| {
        finish_task(Texts { queue, done }, task, Finish::InPlace, now(), None)
    };
    let second = tasks(&twins)[1].clone();
    let finished = of(&twins, None, &second).unwrap();
    let shown = tasks(&finished.queue);
    let shown: Vec<_> = shown.iter().map(|task| (task.title.as_str(), task.status)).collect();
    assert_eq!(shown, [("task 0001", Status::Todo), ("task 0002", Status::Done)]);
    // It was so before, whatever the other one is.
    let again = of(&finished.queue, None, &second).unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyFinished { status: Status::Done });
    let open = text(&[""]);
    let ended = r#""status": "done", "completed_at": "2026-01-02T00:00:00Z""#;
    let done = text(&[ended]).replace("task 0001", "task 0002");
    let there = of(&open, Some(&done), &second).unwrap();
    assert_eq!((there.queue, there.outcome), (open, again.outcome));
    // Neither is a version of it, or both are.
    let third = tasks(&text(&["", "", ""]).replace("RQ-0003", "RQ-0001"))[2].clone();
    let twice = twins.replace("task 0002", "task 0001");
    for (queue, task) in [(&twins, &third), (&twice, &tasks(&twice)[0])] {
        let refused = of(queue, None, task);
        assert!(matches!(refused, Err(TextError::Edit(EditError::AmbiguousId { .. }))));
    }
}

#[test]
fn a_task_that_had_the_id_before_is_finished_only_if_it_is_the_same() {
    let own = r#"{"version": 1, "tasks": [{"id": "RQ-1", "title": "mine", "created_at": "mine"}]}"#;
    let own = Document::parse(own).unwrap().tasks()[0].clone();
    for (title, lands_as, expected) in [
        ("mine", "RQ-2", vec![("RQ-2", Status::Done)]),
        ("another", "RQ-0003", vec![("RQ-2", Status::Todo), ("RQ-0003", Status::Done)]),
    ] {
        let target = format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-2", "title": "{title}", "created_at": "{title}", "custom_fields": {{"former_ids": "RQ-1"}}}}]}}"#
        );
        let texts = Texts { queue: &target, done: None };
        let finish = |task| finish_task(texts, task, Finish::InPlace, now(), None);
        let landing = under_own_id(texts, &own, &IdRules::default()).unwrap();
        assert_eq!(landing.id.as_str(), lands_as);
        let after = Document::parse(finish(&landing).unwrap().queue).unwrap();
        let after: Vec<_> = after.tasks().iter().map(|it| (it.id.as_str(), it.status)).collect();
        assert_eq!(after, expected, "{title}");
        // Under its old id it is never another's end.
        assert_eq!(finish(&own).is_ok(), title == "mine");
    }
}
