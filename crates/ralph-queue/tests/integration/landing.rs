//! A task's end entered into whatever the target's queue has become.

use ralph_queue::landing::{Outcome, Texts, adopt_tasks, finish_task, new_tasks};
use ralph_queue::{Document, Finish, IdRules, Status};

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
    let new = new_tasks(&base, &edited).unwrap();
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
