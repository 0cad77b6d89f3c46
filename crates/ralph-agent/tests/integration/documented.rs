//! Streams of agents that were not recorded, made up from their documentation.

use expect_test::{Expect, expect};
use ralph_agent::{Ending, Parser};

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
