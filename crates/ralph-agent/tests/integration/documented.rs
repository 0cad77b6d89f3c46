//! Streams of agents that were not recorded, made up from their documentation.

use expect_test::{Expect, expect};
use ralph_agent::{Ending, Outcome, Parser};

/// `expected` has the events, and then the outcome.
fn check(agent: &str, stream: &str, expected: &Expect) {
    let mut parser = Parser::new(agent).unwrap();
    let mut lines = String::new();
    let mut sink = |event: &ralph_agent::Event<'_>| {
        lines += &(serde_json::to_string(event).unwrap() + "\n");
    };
    parser.feed(stream.as_bytes(), &mut sink);
    let verdict = parser.finish(Ending::Code(0), "", &mut sink);
    let verdict = format!("{}; {:?}\n", verdict.outcome, verdict.final_text);
    expected.assert_eq(&(lines + &verdict));
}

#[test]
fn cursor() {
    check(
        "cursor",
        r#"{"type":"system","subtype":"init","session_id":"c1","model":"big"}
{"type":"thinking","subtype":"delta","text":"hm"}
{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"I write."}]},"session_id":"c1"}
{"type":"tool_call","subtype":"started","call_id":"t1","tool_call":{"writeToolCall":{"args":{"path":"a"}}},"session_id":"c1"}
{"type":"tool_call","subtype":"completed","call_id":"t1","tool_call":{"writeToolCall":{"args":{"path":"a"},"result":{"success":{"lines":1}}}},"session_id":"c2"}
{"type":"result","subtype":"success","is_error":false,"result":"Done.","session_id":"c2","usage":{"inputTokens":5,"outputTokens":2,"cacheReadTokens":3,"cacheWriteTokens":1}}
"#,
        &expect![[r#"
            {"type":"session","id":"c1"}
            {"type":"reasoning","text":"hm"}
            {"type":"text","text":"I write."}
            {"type":"tool_call","id":"t1","name":"write","input":{"path":"a"}}
            {"type":"session","id":"c2"}
            {"type":"tool_result","id":"t1","failed":false,"output":{"lines":1}}
            {"type":"usage","counted":"turn","input":5,"cache_read":3,"cache_write":1,"output":2,"reasoning":0,"cost":{"kind":"unknown"}}
            {"type":"final","outcome":"succeeded","text":"Done."}
            the agent thinks it is done; Some("Done.")
        "#]],
    );
}

#[test]
fn kimi() {
    check(
        "kimi",
        r#"{"role":"meta","type":"system.version","version":"0.38"}
{"role":"assistant","content":"I look.","tool_calls":[{"type":"function","id":"t1","function":{"name":"Shell","arguments":"{\"command\":\"ls\"}"}}]}
{"role":"tool","tool_call_id":"t1","content":"a"}
{"role":"meta","type":"turn.step.retrying","failed_attempt":1,"next_attempt":2,"delay_ms":500,"error_message":"busy","status_code":429}
{"role":"assistant","content":[{"type":"think","think":"hm"},{"type":"text","text":"Done."}]}
{"role":"meta","type":"session.resume_hint","session_id":"session_1"}
"#,
        &expect![[r#"
            {"type":"text","text":"I look."}
            {"type":"tool_call","id":"t1","name":"Shell","input":"{\"command\":\"ls\"}"}
            {"type":"tool_result","id":"t1","failed":false,"output":"a"}
            {"type":"retry","attempt":2,"delay_ms":500,"status":429,"message":"busy"}
            {"type":"reasoning","text":"hm"}
            {"type":"text","text":"Done."}
            {"type":"final","outcome":"succeeded"}
            {"type":"session","id":"session_1"}
            the agent thinks it is done; Some("Done.")
        "#]],
    );
}

#[test]
fn pi() {
    check(
        "pi",
        r#"{"type":"session","version":3,"id":"p1","cwd":"/work"}
{"type":"turn_start"}
{"type":"tool_execution_start","toolCallId":"t1","toolName":"bash","args":{"command":"ls"}}
{"type":"tool_execution_end","toolCallId":"t1","toolName":"bash","result":"a","isError":true}
{"type":"turn_end","message":{"role":"assistant","content":[{"type":"text","text":"Oh."}],"stopReason":"error","errorMessage":"overloaded"}}
{"type":"agent_end","messages":[],"willRetry":true}
{"type":"auto_retry_start","attempt":1,"maxAttempts":3,"delayMs":2000,"errorMessage":"overloaded"}
{"type":"turn_end","message":{"content":[{"type":"text","text":"Done."}],"stopReason":"stop","usage":{"input":5,"output":2,"cacheRead":3,"cacheWrite":1,"cost":{"total":0.5}}}}
{"type":"agent_end","messages":[]}
{"type":"agent_settled"}
"#,
        &expect![[r#"
            {"type":"session","id":"p1"}
            {"type":"step"}
            {"type":"tool_call","id":"t1","name":"bash","input":{"command":"ls"}}
            {"type":"tool_result","id":"t1","failed":true,"output":"a"}
            {"type":"text","text":"Oh."}
            {"type":"retry","attempt":1,"delay_ms":2000,"message":"overloaded"}
            {"type":"text","text":"Done."}
            {"type":"usage","counted":"step","input":5,"cache_read":3,"cache_write":1,"output":2,"reasoning":0,"cost":{"kind":"measured","usd":0.5}}
            {"type":"final","outcome":"succeeded"}
            the agent thinks it is done; Some("Done.")
        "#]],
    );
    check(
        "pi",
        r#"{"type":"turn_end","message":{"content":[],"stopReason":"error","errorMessage":"no credit"}}
{"type":"agent_end","messages":[]}
"#,
        &expect![[r#"
            {"type":"final","outcome":"failed","reason":"no credit"}
            the agent failed: no credit; None
        "#]],
    );
}

#[test]
fn amp() {
    check(
        "amp",
        r#"{"type":"system","subtype":"init","session_id":"T-1","tools":[]}
{"type":"assistant","message":{"content":[{"type":"text","text":"Done."}]},"parent_tool_use_id":null,"session_id":"T-1"}
{"type":"result","subtype":"error_during_execution","is_error":true,"error":"no credit left","session_id":"T-1"}
"#,
        &expect![[r#"
            {"type":"session","id":"T-1"}
            {"type":"text","text":"Done."}
            {"type":"final","outcome":"failed","reason":"no credit left"}
            the agent failed: no credit left; Some("Done.")
        "#]],
    );
}

#[test]
fn copilot() {
    check(
        "copilot",
        r#"{"type":"assistant.turn_start","data":{"turnId":"0"},"id":"1"}
{"type":"tool.execution_start","data":{"toolCallId":"t1","toolName":"bash","arguments":{"command":"ls"}}}
{"type":"tool.execution_complete","data":{"toolCallId":"t1","success":false,"error":{"message":"denied"}}}
{"type":"assistant.message","data":{"messageId":"m","content":"Done.","toolRequests":[]}}
{"type":"result","sessionId":"g1","exitCode":0,"usage":{"premiumRequests":1}}
"#,
        &expect![[r#"
            {"type":"step"}
            {"type":"tool_call","id":"t1","name":"bash","input":{"command":"ls"}}
            {"type":"tool_result","id":"t1","failed":true,"output":"denied"}
            {"type":"text","text":"Done."}
            {"type":"session","id":"g1"}
            {"type":"final","outcome":"succeeded"}
            the agent thinks it is done; Some("Done.")
        "#]],
    );
    check(
        "copilot",
        r#"{"type":"session.error","data":{"errorType":"rate_limit","message":"slow down"}}
{"type":"result","sessionId":"g1","exitCode":1}
"#,
        &expect![[r#"
            {"type":"warning","message":"slow down"}
            {"type":"session","id":"g1"}
            {"type":"final","outcome":"rate_limited"}
            rate limited; None
        "#]],
    );
}

#[test]
fn droid() {
    check(
        "droid",
        r#"{"type":"system","subtype":"init","session_id":"not-this","tools":[]}
{"type":"message","role":"user","text":"do it","session_id":"d1"}
{"type":"tool_call","id":"t1","toolName":"Execute","parameters":{"command":"ls"}}
{"type":"tool_result","id":"t1","isError":false,"value":"a"}
{"type":"message","role":"assistant","text":"Done.","session_id":"d1"}
{"type":"completion","finalText":"All done.","numTurns":1,"session_id":"d1"}
"#,
        &expect![[r#"
            {"type":"session","id":"d1"}
            {"type":"tool_call","id":"t1","name":"Execute","input":{"command":"ls"}}
            {"type":"tool_result","id":"t1","failed":false,"output":"a"}
            {"type":"text","text":"Done."}
            {"type":"final","outcome":"succeeded","text":"All done."}
            the agent thinks it is done; Some("All done.")
        "#]],
    );
}

#[test]
fn agy() {
    check(
        "agy",
        r#"{"event":"init","conversation_id":"a1","init":{"cwd":"/work"}}
{"event":"step_update","conversation_id":"a1","step_update":{"tool_info":{"name":"run","parameters":{"c":1}}}}
{"event":"result","conversation_id":"a1","result":{"status":"SUCCESS","response":"","usage":{"input_tokens":5,"output_tokens":2,"thinking_tokens":1}}}
"#,
        &expect![[r#"
            {"type":"session","id":"a1"}
            {"type":"tool_call","name":"run","input":{"c":1}}
            {"type":"usage","counted":"turn","input":5,"cache_read":0,"cache_write":0,"output":2,"reasoning":1,"cost":{"kind":"unknown"}}
            {"type":"final","outcome":"succeeded","text":""}
            the agent failed: it ended without an answer; None
        "#]],
    );
}

fn outcome(agent: &str, stream: &str, code: i32, stderr: &str) -> Outcome {
    let mut parser = Parser::new(agent).unwrap();
    parser.feed(stream.as_bytes(), &mut |_| {});
    parser.finish(Ending::Code(code), stderr, &mut |_| {}).outcome
}

#[test]
fn a_limit_of_the_provider_is_told_from_a_failure() {
    let kimi = r#"{"role":"meta","type":"turn.step.retrying","next_attempt":3,"error_message":"busy","status_code":429}
"#;
    let went_on =
        format!("{kimi}{{\"role\":\"assistant\",\"content\":\"hm\",\"tool_calls\":[{{}}]}}\n");
    let pi = r#"{"type":"auto_retry_start","attempt":3,"errorMessage":"429 slow down"}
{"type":"auto_retry_end","success":false,"attempt":3,"finalError":"429 slow down"}
{"type":"agent_end","messages":[]}
"#;
    let droid = r#"{"type":"error","source":"agent_loop","message":"429 Too Many Requests"}"#;
    let amp = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"error":"429 slow down"}"#;
    let quota = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"error":"Insufficient credit"}"#;
    let aborted = r#"{"type":"error","sessionID":"s","error":{"type":"aborted","message":"no"}}"#;
    let transport =
        r#"{"type":"error","sessionID":"s","error":{"type":"provider.transport","message":"x"}}"#;
    let cursor = r#"{"type":"system","subtype":"init","session_id":"c1"}"#;
    for (agent, stream, code, stderr, wanted) in [
        ("kimi", kimi, 1, "", "rate_limited"),
        ("kimi", &went_on, 1, "", "truncated"),
        ("kimi-cli", "", 1, "Rate limit exceeded", "rate_limited"),
        ("pi", pi, 0, "", "rate_limited"),
        ("droid", droid, 1, "", "rate_limited"),
        ("amp", amp, 1, "", "rate_limited"),
        ("amp", quota, 1, "", "out_of_quota"),
        ("opencode2", aborted, 1, "", "interrupted"),
        ("opencode2", transport, 1, "", "unavailable"),
        ("cursor", cursor, 1, "noise\nError: 429 slow down\n", "rate_limited"),
        ("cursor", "", 1, "Authentication required. Please log in", "not_authenticated"),
        ("cursor", cursor, 1, "a file about rate limits", "truncated"),
    ] {
        assert_eq!(outcome(agent, stream, code, stderr).as_str(), wanted, "{agent} {stream}");
    }
}

/// What each agent prints of limits, money and logins, where nothing but the words tell.
#[test]
fn limits_money_and_logins_are_told_from_failures() {
    let claude = |text: &str| {
        format!(r#"{{"type":"result","subtype":"success","is_error":true,"result":"{text}"}}"#)
    };
    let codex = |text: &str| format!(r#"{{"type":"turn.failed","error":{{"message":"{text}"}}}}"#);
    let opencode = |error: &str| format!(r#"{{"type":"error","error":{error}}}"#);
    let gemini = |text: &str| {
        format!(r#"{{"type":"result","status":"error","error":{{"message":"{text}"}}}}"#)
    };
    let copilot = |kind: &str, text: &str| {
        format!(
            r#"{{"type":"session.error","data":{{"errorType":"{kind}","message":"{text}"}}}}
{{"type":"result","sessionId":"g","exitCode":1}}"#
        )
    };
    let agy = |text: &str| {
        format!(r#"{{"event":"result","result":{{"status":"ERROR","response":"{text}"}}}}"#)
    };
    let droid = |text: &str| format!(r#"{{"type":"error","message":"{text}"}}"#);
    for (agent, stream, stderr, wanted) in [
        ("claude", claude("5-hour limit reached ∙ resets 11pm"), "", "rate_limited"),
        ("claude", claude("Claude AI usage limit reached|1764190800"), "", "rate_limited"),
        ("claude", claude("You've hit your session limit · resets 9pm (UTC)"), "", "rate_limited"),
        ("claude", claude("Credit balance is too low"), "", "out_of_quota"),
        ("claude", claude("API Error: Repeated 529 Overloaded errors"), "", "unavailable"),
        ("claude", claude("OAuth token has expired. Please obtain a new"), "", "not_authenticated"),
        ("claude", claude("Invalid API key · Please run /login"), "", "not_authenticated"),
        ("claude", claude("Prompt is too long"), "", "failed"),
        ("claude", String::new(), "Invalid API key · Please run /login\n", "not_authenticated"),
        ("codex", codex("You've hit your usage limit. Try again at 8:19 PM."), "", "rate_limited"),
        ("codex", codex("exceeded retry limit, last status: 429 Too Many"), "", "rate_limited"),
        ("codex", codex("rate limit exceeded: Rate limit reached."), "", "rate_limited"),
        ("codex", codex("Quota exceeded. Check your plan and billing"), "", "out_of_quota"),
        ("codex", codex("Your workspace is out of credits. Add credits."), "", "out_of_quota"),
        ("codex", codex("unexpected status 402 Payment Required: x"), "", "out_of_quota"),
        ("codex", codex("unexpected status 401 Unauthorized: x"), "", "not_authenticated"),
        (
            "codex",
            codex("Your access token could not be refreshed because"),
            "",
            "not_authenticated",
        ),
        ("codex", codex("Selected model is at capacity. Please"), "", "unavailable"),
        (
            "opencode",
            opencode(r#"{"name":"ProviderAuthError","data":{"message":"x"}}"#),
            "",
            "not_authenticated",
        ),
        (
            "opencode",
            opencode(r#"{"name":"APIError","data":{"message":"x","statusCode":402}}"#),
            "",
            "out_of_quota",
        ),
        (
            "opencode",
            opencode(r#"{"name":"APIError","data":{"message":"x","statusCode":429}}"#),
            "",
            "rate_limited",
        ),
        ("opencode2", opencode(r#"{"type":"provider.quota","message":"x"}"#), "", "out_of_quota"),
        (
            "opencode2",
            opencode(r#"{"type":"unknown","message":"Usage limit reached"}"#),
            "",
            "rate_limited",
        ),
        ("gemini", gemini(r#"[API Error: [{\"error\":{\"code\":429}}]]"#), "", "rate_limited"),
        (
            "gemini",
            gemini("[API Error: You have exhausted your capacity on this model.]"),
            "",
            "rate_limited",
        ),
        ("gemini", gemini("[API Error: API key not valid.]"), "", "not_authenticated"),
        ("cursor", String::new(), "Error: You've hit your usage limit\n", "rate_limited"),
        (
            "cursor",
            String::new(),
            "Error: Authentication required. Please run",
            "not_authenticated",
        ),
        ("copilot", copilot("quota", "no more premium requests"), "", "out_of_quota"),
        ("copilot", copilot("query", "402 You have no quota"), "", "out_of_quota"),
        ("copilot", copilot("authentication", "x"), "", "not_authenticated"),
        ("copilot", String::new(), "Error: No API key\n", "not_authenticated"),
        ("amp", claude("Unauthorized"), "", "not_authenticated"),
        ("amp", String::new(), "Error: 402 Payment Required", "out_of_quota"),
        ("droid", droid("Unrecoverable 402: usage limit reached"), "", "out_of_quota"),
        ("droid", droid("Standard usage limit reached."), "", "rate_limited"),
        ("agy", agy("Rate limit exceeded"), "", "rate_limited"),
        ("kimi-cli", String::new(), "Error code: 401 - x", "not_authenticated"),
        ("pi", String::new(), "No API key found", "not_authenticated"),
    ] {
        assert_eq!(
            outcome(agent, &stream, 1, stderr).as_str(),
            wanted,
            "{agent} {stream} {stderr}"
        );
    }
}

#[test]
fn the_end_of_a_limit_is_the_one_that_its_message_tells() {
    let stream = r#"{"type":"result","subtype":"success","is_error":true,"result":"You've hit your session limit · resets 8:30pm (UTC)"}"#;
    let mut parser = Parser::new("claude").unwrap();
    parser.printed(ralph_agent::Moment::here("2026-11-26T18:00:00Z".parse().unwrap()));
    parser.feed(stream.as_bytes(), &mut |_| {});
    let outcome = parser.finish(Ending::Code(1), "", &mut |_| {}).outcome;
    let until = Some("2026-11-26T20:30:00Z".parse().unwrap());
    assert_eq!(outcome, Outcome::RateLimited { until });
}

/// Only Ralph ends an agent that is done; a signal of somebody else came at any time.
#[test]
fn a_signal_of_somebody_else_makes_no_success() {
    let stream = r#"{"type":"item.completed","item":{"type":"agent_message","text":"done"}}
{"type":"turn.completed"}"#;
    let judge = |ending| {
        let mut parser = Parser::new("codex").unwrap();
        parser.feed(stream.as_bytes(), &mut |_| {});
        parser.finish(ending, "", &mut |_| {}).outcome
    };
    assert_eq!(judge(Ending::Lingered), Outcome::Succeeded);
    assert_eq!(judge(Ending::Signal(15)), Outcome::Interrupted);
    let reason = "killed by signal 9".to_owned();
    assert_eq!(judge(Ending::Signal(9)), Outcome::Failed { reason });
}

/// A limit that passed says nothing of a failure that comes later.
#[test]
fn a_failure_of_claude_is_not_blamed_on_a_limit_that_passed() {
    let limited = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1800000000}}
{"type":"assistant","error":"rate_limit","message":{"model":"<synthetic>","content":[{"type":"text","text":"limit"}]}}
"#;
    let worked = r#"{"type":"assistant","message":{"model":"big","content":[{"type":"text","text":"on"}]}}
"#;
    let failed = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":null,"result":"It broke"}"#;
    let judge = |stream: String| outcome("claude", &stream, 1, "");
    assert_eq!(
        judge(format!("{limited}{failed}")),
        Outcome::RateLimited { until: Some("2027-01-15T08:00:00Z".parse().unwrap()) }
    );
    assert_eq!(
        judge(format!("{limited}{worked}{failed}")),
        Outcome::Failed { reason: "It broke".to_owned() }
    );
    let allowed = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed"}}"#;
    let mut parser = Parser::new("claude").unwrap();
    parser.feed(format!("{allowed}\n").as_bytes(), &mut |event| panic!("{event:?}"));
}

/// `--output-format json` of some versions.
#[test]
fn claude_may_print_its_events_as_one_list() {
    let list = r#"[{"type":"system","subtype":"init","session_id":"c1"},
        {"type":"result","subtype":"success","is_error":false,"result":"Done.","session_id":"c1"}]"#;
    let list = list.replace('\n', "");
    assert_eq!(outcome("claude", &list, 0, ""), Outcome::Succeeded);
    assert_eq!(outcome("codex", "[{\"type\":\"turn.completed\"}]", 3, "no").as_str(), "failed");
}

#[test]
fn an_answer_without_the_schema_that_was_asked_for_is_no_success() {
    let claude = |more: &str| {
        format!(r#"{{"type":"result","subtype":"success","is_error":false,"result":"{{}}"{more}}}"#)
    };
    let codex = |text: &str| {
        format!(
            r#"{{"type":"item.completed","item":{{"type":"agent_message","text":"{text}"}}}}
{{"type":"turn.completed"}}"#
        )
    };
    let judge = |agent: &str, stream: &str| {
        let mut parser = Parser::new(agent).unwrap().structured();
        parser.feed(stream.as_bytes(), &mut |_| {});
        parser.finish(Ending::Code(0), "", &mut |_| {}).outcome.as_str()
    };
    assert_eq!(judge("claude", &claude(r#","structured_output":{"a":1}"#)), "succeeded");
    assert_eq!(judge("claude", &claude("")), "failed");
    assert_eq!(judge("codex", &codex(r#"{\"a\":1}"#)), "succeeded");
    assert_eq!(judge("codex", &codex("done")), "failed");
    // It cannot be asked for one.
    assert_eq!(
        judge(
            "opencode",
            r#"{"type":"text","part":{"text":"done"}}
{"type":"step_finish","part":{"reason":"stop"}}"#
        ),
        "succeeded"
    );
}

#[test]
fn a_stream_that_only_ends_says_how_it_ended() {
    let stream = r#"{"type":"thread.started","thread_id":"0199"}"#;
    let cut = outcome("codex", stream, 3, "first\nsome error\n");
    assert_eq!(cut, Outcome::Truncated { reason: "exit code 3: some error".to_owned() });
    let cut = outcome("codex", stream, 0, "noise");
    assert_eq!(cut, Outcome::Truncated { reason: "exit code 0".to_owned() });
}

#[test]
fn a_line_with_half_a_character_is_read() {
    let said = r"cut \ud83d, and \uDE00; whole \ud83d\ude00; written \\ud83d";
    let mut parser = Parser::new("claude").unwrap();
    let line = r#"{"type":"result","subtype":"success","is_error":false,"result":"SAID"}"#;
    parser.feed(line.replace("SAID", said).as_bytes(), &mut |_| {});
    let verdict = parser.finish(Ending::Code(0), "", &mut |_| {});
    assert_eq!(verdict.outcome, Outcome::Succeeded);
    let text = "cut \u{fffd}, and \u{fffd}; whole \u{1f600}; written \\ud83d";
    assert_eq!(verdict.final_text.as_deref(), Some(text));
}

#[test]
fn what_was_used_is_counted_as_it_is_written_and_not_where_it_is_not() {
    let usage = |agent: &str, stream: &str| {
        let mut parser = Parser::new(agent).unwrap();
        parser.feed(stream.as_bytes(), &mut |_| {});
        parser.finish(Ending::Code(0), "", &mut |_| {}).usage
    };
    let counted = usage(
        "plugin",
        r#"{"type":"usage","counted":"step","input":900.0,"output":99.5,"cache_read":-3,"cost":{"kind":"estimated","usd":0.5}}
{"type":"usage","counted":"step","cost":{"kind":"estimated","usd":-0.4}}"#,
    );
    let counted = counted.unwrap();
    assert_eq!((counted.tokens(), counted.cost.usd()), (1000, Some(0.5)));
    for (agent, silent) in [
        ("claude", r#"{"type":"result","subtype":"success","is_error":false,"usage":null}"#),
        ("codex", r#"{"type":"turn.completed"}"#),
        ("gemini", r#"{"type":"result","status":"error"}"#),
        ("cursor", r#"{"type":"result","subtype":"success","usage":null}"#),
        ("agy", r#"{"event":"result","result":{"status":"ERROR","usage":null}}"#),
        ("pi", r#"{"type":"turn_end","message":{"usage":null}}"#),
    ] {
        assert_eq!(usage(agent, silent), None, "{agent}");
    }
}

#[test]
fn counts_that_no_agent_could_reach_are_only_large() {
    let most = u64::MAX;
    let streams = [
        (
            "plugin",
            format!(r#"{{"type":"usage","counted":"step","input":{most},"output":{most}}}"#),
        ),
        (
            "opencode",
            format!(
                r#"{{"type":"step_finish","part":{{"tokens":{{"output":{most},"reasoning":{most}}}}}}}"#
            ),
        ),
        (
            "gemini",
            format!(
                r#"{{"type":"result","stats":{{"input_tokens":{most},"output_tokens":{most},"total_tokens":{most}}}}}"#
            ),
        ),
        (
            "claude",
            format!(
                r#"{{"type":"result","usage":{{"input_tokens":{most},"output_tokens":1}},"modelUsage":{{"a":{{"inputTokens":{most}}},"b":{{"inputTokens":{most}}}}}}}"#
            ),
        ),
    ];
    for (agent, stream) in streams {
        let mut parser = Parser::new(agent).unwrap();
        parser.feed(format!("{stream}\n{stream}\n").as_bytes(), &mut |_| {});
        let usage = parser.finish(Ending::Code(0), "", &mut |_| {}).usage.unwrap();
        assert_eq!(usage.tokens(), most, "{agent}");
    }
}
