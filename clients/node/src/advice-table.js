// Written by `make tables` from the sentences of the Python package.

export const ADVICE = {
  "json-lines": "these are bare JSON lines without `data:`, which a reader of server-sent events, that of the OpenAI SDKs among them, skips without an error: read the body line by line and parse each line as JSON, or ask with stream=false",
  "sse": "these are server-sent events: see that the reader joins delta.content of every event up to data: [DONE]",
  "json": "this is one JSON body: see that the client reads choices[0].message.content"
};

export const NO_REQUEST = "no request came to this namespace; see that the client uses the session's base_url and api_key";

export const CHINESE = {
  "these are bare JSON lines without `data:`, which a reader of server-sent events, that of the OpenAI SDKs among them, skips without an error: read the body line by line and parse each line as JSON, or ask with stream=false": "这些是没有 `data:` 的裸 JSON 行，按 server-sent events 读取的客户端（包括 OpenAI SDK）会跳过它们且不报错：请逐行读取响应体并把每一行按 JSON 解析，或用 stream=false 请求",
  "these are server-sent events: see that the reader joins delta.content of every event up to data: [DONE]": "这些是 server-sent events：请确认客户端把直到 data: [DONE] 为止每个事件的 delta.content 都拼接起来",
  "this is one JSON body: see that the client reads choices[0].message.content": "这是一个完整的 JSON 响应体：请确认客户端读取的是 choices[0].message.content",
  "no request came to this namespace; see that the client uses the session's base_url and api_key": "没有请求进入这个命名空间；请确认客户端用的是会话的 base_url 和 api_key",
  "a good status and no body at all, which ends like an answer without words: see that the client takes an empty answer for an error": "状态码正常但完全没有响应体，结束时就像一个没有文字的回答：请确认客户端把空回答当作错误",
  "one JSON body where a stream was asked for, which a reader of server-sent events skips without an error: see that the client looks at the Content-Type, or at the first byte": "请求的是流，得到的是一个 JSON 响应体，按 server-sent events 读取的客户端会跳过它且不报错：请确认客户端检查 Content-Type 或第一个字节",
  "the stream ended as HTTP wants it, but without a finish_reason: it was cut, and nothing raises for it: see that the client takes a stream without finish_reason for a broken one": "流在 HTTP 层面正常结束，但没有 finish_reason：它被截断了，而没有任何东西报错：请确认客户端把没有 finish_reason 的流当作中断",
  "the text review stopped the answer (`blocked: true`), which clients of OpenAI do not know and pass over: see that the client looks at `blocked`, in chunks through model_extra": "文本审核中止了回答（`blocked: true`），OpenAI 的客户端不认识这个字段，会直接忽略：请确认客户端检查 `blocked`，在数据块里可通过 model_extra 读到",
  "the last words came in the chunk that carries finish_reason: a reader that stops at finish_reason before it takes delta.content loses them: see that the last words are shown": "最后的文字与 finish_reason 在同一个数据块里：见到 finish_reason 就停下而不先取 delta.content 的客户端会丢掉它们：请确认最后的文字显示出来了",
  "chunks without `object`, which the OpenAI SDK's .stream() helper passes over; create(stream=True) reads them: see which of the two the client uses": "数据块没有 `object`，OpenAI SDK 的 .stream() 辅助方法会忽略它们，而 create(stream=True) 能读到：请看客户端用的是哪一个",
  "a frame came twice or in the wrong place, and no reader can see it: see that nothing relies on the text alone, and compare it where usage tells how much there was": "有一帧重复了或位置不对，任何客户端都看不出来：请确认没有逻辑只依赖文本，并在 usage 给出数量的地方加以核对",
  "read Retry-After (seconds) and wait that long before the next attempt": "请读取 Retry-After（秒），等待这么久之后再重试",
  "let the bound of the jitter double each time": "请让随机抖动的上限每次加倍",
  "double the pause each time, with jitter": "请每次把间隔加倍，并加入随机抖动",
  "bound the attempts and pause between them": "请限制重试次数，并在两次之间停顿",
  "take an answer without finish_reason for an error": "请把没有 finish_reason 的回答当作错误",
  "see that the caller got an error and not half an answer": "请确认调用方得到的是错误，而不是半个回答",
  "read blocked: true, take the answer back and tell the user": "请读取 blocked: true，撤回已显示的回答并告知用户",
  "read blocked: true and tell the user; asking again gives the same": "请读取 blocked: true 并告知用户；再问一次结果也一样",
  "retry 429 and 5xx a few times before giving up": "放弃之前，请对 429 和 5xx 重试几次",
  "set a timeout, also between two chunks of a stream": "请设置超时，流的两个数据块之间也要有",
  "a shorter timeout spares the user the wait": "更短的超时可以让用户少等一会儿",
  "record or write the answer anew; --strict-requests refuses such a request": "请重新录制或编写这个回答；--strict-requests 会拒绝这样的请求"
};
