// The page's words: English stands in the code, Chinese here.

import { ADVICE } from "./advice.js";
import { SENTENCES } from "./sentences.js";

const PLACEHOLDER = /\{(\w+)\}/g;
const KEPT = "genstudio-mock-language";

const CHINESE = {
  ".": "。",
  "Journal": "日志",
  "Compare": "对比",
  "Chips": "芯片",
  "Faults and answers": "故障与应答",
  "Verdict": "评判",
  "A client that does not look for it takes it for whole.": "不检查它的客户端会把这当作完整的回答。",
  "A reader of server-sent events hears nothing of this answer.": "按 server-sent events 读取的客户端从这个回答里什么也听不到。",
  "The OpenAI SDK yields 0 of its {chunks} chunks, {pieces} of which carry content, and raises no error: it looks for lines that begin with data: and these are bare JSON lines.": "共 {chunks} 个数据块，其中 {pieces} 个带内容，OpenAI SDK 一个也得不到，也不报错：它只认以 data: 开头的行，而这里是裸的 JSON 行。",
  "{broken} of its events are no JSON.": "其中 {broken} 个事件不是 JSON。",
  "All of this is for the namespace": "以下都作用于命名空间",
  "Another edition is served; start the mock with --edition to try this one.": "当前提供的是另一个版本；用 --edition 启动即可试用此版本。",
  "Arm a fault": "布置一个故障",
  "Arm a fault, let your client run, and look here again.": "布置一个故障，运行你的客户端，再回到这里看。",
  "Armed faults": "已布置的故障",
  "Arrow keys choose a frame.": "用方向键选择帧。",
  "Byte by byte": "逐字节",
  "Choose an exchange to see what went over the wire.": "选择一次交互，查看线路上传输了什么。",
  "Comparison": "对比",
  "Do the same": "做同样的事",
  "Every request to this mock appears here as it comes, and every write of its answer as it leaves.": "发给此 mock 的每个请求一到就会出现在这里，回答的每次写出也会即时显示。",
  "Exchange": "交互",
  "Exchanges": "交互",
  "Filter by": "筛选",
  "Filter by text": "按文本筛选",
  "Findings": "发现",
  "Frames": "帧",
  "Go on": "继续",
  "Help": "帮助",
  "It is listening beyond this machine; the server printed the token when it started.": "它监听的不只是本机；令牌在服务启动时已打印出来。",
  "It says nothing that a client could show.": "其中没有客户端可以显示的内容。",
  "Keyboard": "键盘",
  "Language": "语言",
  "Move the clock on": "拨快时钟",
  "Namespace": "命名空间",
  "No answer is scripted.": "没有预设的应答。",
  "No editions are known.": "没有已知的版本。",
  "No exchange fits the filter.": "没有符合筛选的交互。",
  "No fault is armed.": "没有布置故障。",
  "Nothing was asked yet": "还没有请求",
  "Nothing was sent.": "什么也没有发送。",
  "Nothing went wrong yet, so there is nothing to say of the client.": "还没有出过错，所以对客户端没有可评判的。",
  "Nothing: head, bytes and chunks are the same.": "没有差异：头部、字节与数据块都相同。",
  "Nothing: this chip speaks as the standard has it.": "没有差异：此芯片与标准一致。",
  "On the wire": "线路上",
  "Or send one from where you are:": "或者从你那里发一个：",
  "Point at a write to see its bytes.": "指向一次写出即可查看其字节。",
  "Quirks by edition and chip": "各版本、各芯片的 quirk",
  "Request": "请求",
  "Response headers": "响应头",
  "Script an answer": "预设一个应答",
  "Scripted answers": "预设的应答",
  "Send one request to two chips, or press c on two exchanges of the journal: their bytes stand side by side, and what only one has is marked.": "把同一个请求发给两个芯片，或在日志的两次交互上按 c：它们的字节并排显示，只有一边才有的会被标出。",
  "Something in this answer cannot be read.": "这个回答中有无法读取的部分。",
  "The chunked coding of this answer is broken.": "这个回答的分块编码是坏的。",
  "A client stops there with an error; what it has shown until then stays half an answer.": "客户端会在那里报错停下；此前显示的只是半个回答。",
  "The answer ends inside an event.": "回答在一个事件中间断开了。",
  "The answer ends without finish_reason.": "回答结束时没有 finish_reason。",
  "The answer, as a careful client reads it": "回答（仔细的客户端所读到的）",
  "The client is not resilient.": "客户端不够健壮。",
  "The client took what went wrong well.": "客户端妥善应对了出错的情况。",
  "The frame as hexdump": "帧的十六进制",
  "The frame as text": "帧的文本",
  "The journal keeps the last exchanges; older ones make room.": "日志只保留最近的交互，较早的会让位。",
  "The mock does not answer; asking again …": "mock 没有回应，正在重试 …",
  "The request is not in the journal; was it cleared meanwhile?": "请求不在日志里；日志是否刚被清空？",
  "The stream as text": "流的文本",
  "Theme": "主题",
  "This mock asks for its token": "此 mock 需要令牌",
  "Time line of the wire": "线路时间线",
  "Try a quirk on": "试用 quirk：",
  "Views": "视图",
  "What a write carries": "写出的内容",
  "What came of it is read by no client, and most say nothing of it.": "已到的部分没有客户端会读，多数客户端也不提示。",
  "What differs": "差异",
  "What differs from the standard": "与标准的差异",
  "What the axis shows": "坐标轴",
  "What was said": "错误信息",
  "What went over the wire": "线路上的传输",
  "Which test survives which chip": "哪个测试在哪个芯片上通过",
  "a fault acted": "有故障起作用",
  "all namespaces": "所有命名空间",
  "always": "总是",
  "any chip": "任意芯片",
  "any model": "任意模型",
  "any text": "任意文本",
  "arm": "布置",
  "asked": "请求",
  "asked for": "按请求",
  "assumed": "假定",
  "documented": "文档写明",
  "observed": "实际观察",
  "at ms": "毫秒",
  "auto": "自动",
  "light": "浅色",
  "dark": "深色",
  "back": "返回",
  "bad": "不好",
  "good": "好",
  "note": "注意",
  "broken": "损坏",
  "bytes": "字节",
  "carries": "内容",
  "chip": "芯片",
  "chunk coding": "分块编码",
  "chunks": "数据块",
  "chunks with": "含此键的数据块：",
  "claim": "依据",
  "clear": "清空",
  "client left": "客户端离开",
  "close": "关闭",
  "comment": "注释",
  "compare": "对比",
  "compare two chips": "对比两个芯片",
  "compare: once on each of two exchanges": "对比：在两次交互上各按一次",
  "complete": "完整",
  "content": "内容",
  "copied": "已复制",
  "copy": "复制",
  "copy curl": "复制 curl",
  "cut": "切断",
  "cut inside a character": "在字符中间切开",
  "differences": "处差异",
  "disarm": "撤除",
  "done": "完成",
  "edition": "版本",
  "empty": "空",
  "ending": "结束",
  "error": "错误",
  "error kind": "错误种类",
  "every": "每隔",
  "every request": "所有请求",
  "exchanges": "次交互",
  "fault": "故障",
  "faults, quirks, prompt or refusal": "故障、quirk、提问或拒绝",
  "field": "字段",
  "filter": "筛选",
  "filter ( / )": "筛选 ( / )",
  "finish": "结束块",
  "for": "针对",
  "forget": "忘记",
  "frame": "帧",
  "frames": "帧",
  "frames of the time line that has the focus": "时间线获得焦点时逐帧移动",
  "gap": "间隔",
  "gap, longest": "最长间隔",
  "gap, median": "间隔中位数",
  "go into the exchange": "进入交互",
  "go on": "继续",
  "hang": "挂起",
  "heard by an SSE client": "SSE 客户端听到",
  "held; choose another": "已选，请再选一个",
  "HTTP head": "HTTP 头",
  "in all": "总计",
  "in flight": "进行中",
  "live": "实际",
  "message contains": "消息包含",
  "milliseconds": "毫秒",
  "mock": "mock",
  "model": "模型",
  "more": "更多",
  "more bytes": "个字节未显示",
  "more observed": "处仅供观察",
  "more frames were sent; of so long a stream the first are shown": "帧另已发送；这么长的流只显示开头",
  "more characters": "个字符未显示",
  "move on": "拨快",
  "moved on by {seconds} s since this view was opened": "打开此视图以来共拨快 {seconds} 秒",
  "next and previous exchange": "下一个、上一个交互",
  "no drift": "没有漂移",
  "no whole UTF-8 character in this frame": "此帧中不是完整的 UTF-8 字符",
  "none": "无",
  "not sent": "未发送",
  "nothing here": "此处没有",
  "of": "/",
  "out of": "次数",
  "on": "—",
  "one chip": "一个芯片",
  "order": "顺序",
  "other": "其他",
  "pause": "暂停",
  "pieces, one a line": "分片，每行一个",
  "play again": "重放",
  "probability": "概率",
  "question": "提问",
  "quirk": "quirk",
  "quirks": "quirk",
  "raw": "原始",
  "reasoning": "推理",
  "requests came that no scripted answer was for": "个请求没有对应的预设应答",
  "reset": "重置",
  "role": "角色",
  "said": "内容",
  "save as fixture": "保存为 fixture",
  "says": "说",
  "script": "预设",
  "Tick a quirk and see the bytes change. Each try is a request like any client's: it stands in the journal, and a fault that is armed strikes it.": "勾选一个 quirk，看字节如何变化。每次尝试都是和任何客户端一样的请求：它会记入日志，已布置的故障也会作用于它。",
  "and {count} more": "还有 {count} 个",
  "send": "发送",
  "send a first request": "发送第一个请求",
  "send to both": "发给两者",
  "sent": "已发送",
  "served": "当前",
  "severity": "级别",
  "show all": "显示全部",
  "show more": "显示更多",
  "source": "来源",
  "status": "状态",
  "stream": "流式",
  "struck": "命中",
  "test": "测试",
  "text": "文本",
  "the event goes on in the next frame": "事件在下一帧继续",
  "the frame begins inside an event": "此帧从事件中间开始",
  "the other": "另一个",
  "the patch to the profile": "对配置的补丁",
  "the views": "各视图",
  "this help": "此帮助",
  "time": "时间",
  "times": "次数",
  "took": "用时",
  "tool call": "工具调用",
  "usage": "用量",
  "used": "已用",
  "what": "类型",
  "what it does": "作用",
  "when it was planned, where it left otherwise": "计划时刻（与实际不同时）",
  "where the answer came from": "回答的来源",
  "whole": "非流式",
  "whole body": "完整响应体",
  "wire": "线路",
  "wire form": "线路格式",
  "writes": "网络写出",
  "‹cut inside a character›": "‹在字符中间切开›",
};

function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

let spoken = remembered() || (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

export function language() {
  return spoken;
}

export function setLanguage(name) {
  spoken = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch { /* a page from a file may have no place to keep it */ }
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
}

// A text in the language that is spoken, with values in the place of names in braces.
export function t(english, values = {}) {
  const text = spoken === "zh" ? CHINESE[english] ?? ADVICE[english] ?? english : english;
  return text.replace(PLACEHOLDER, (whole, name) => values[name] ?? whole);
}

// What each template of the sentences fits, the names in it, and its Chinese.
function fitting([english, chinese]) {
  const names = [...english.matchAll(PLACEHOLDER)].map(([, name]) => name);
  const parts = english.split(PLACEHOLDER).map((part, at) => (at % 2 ? "(.+?)" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return { fits: new RegExp(`^${parts.join("")}$`, "s"), names, chinese };
}

let templates = null;

// A sentence that the mock made, in the language that is spoken; one that the table does not have stays as it is.
export function sentence(english) {
  if (spoken !== "zh") return english;
  if (english in SENTENCES) return SENTENCES[english];
  templates ??= Object.entries(SENTENCES).filter(([one]) => one.search(PLACEHOLDER) >= 0).map(fitting);
  for (const { fits, names, chinese } of templates) {
    const found = fits.exec(english);
    if (found) return chinese.replace(PLACEHOLDER, (_, name) => sentence(found[names.indexOf(name) + 1]));
  }
  return english;
}
