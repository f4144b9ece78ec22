// The page's words in two languages. What a server says, and SQL, stay as they are.
const CHINESE = {
  "Ask": "提问", "Results": "结果", "API": "接口",
  "Question": "问题", "How many …?": "有多少……？", "About": "关于",
  "the configured database": "已配置的数据库", "a schema I type in": "我输入的表结构", "Schema": "表结构",
  "the database {}": "数据库 {}", "a database (none is configured)": "数据库（未配置）",
  "run the SQL": "执行 SQL", "Model": "模型", "model {}": "模型 {}",
  "asks,": "提问，", "new line,": "换行，", "back here": "回到这里",
  "Token of this service": "本服务的令牌", "Use it": "使用",
  "Copy": "复制", "Copied": "已复制", "Selected": "已选中",
  "Follow up": "追问", "Accept": "采纳", "Correct": "更正", "Check and keep": "检查并保存", "The right SQL": "正确的 SQL",
  "kept, thank you": "已保存，谢谢", "This conversation": "本次对话", "Start anew": "重新开始",
  "History": "历史", "Clear history": "清除历史", "from the history; ask again for rows": "来自历史；再次提问可得到数据行",
  "No tables to show yet.": "还没有可显示的表。", "waiting for the model …": "等待模型……",
  "(no SQL)": "（没有 SQL）", "valid": "有效", "not valid, not run": "无效，未执行", ", {} s": "，{} 秒",
  "{} solved question shown to the model": "给模型看了 {} 个已解答的问题", "{} solved questions shown to the model": "给模型看了 {} 个已解答的问题",
  "{} row": "{} 行", "{} rows": "{} 行", "{} of more rows": "{} 行（还有更多）", "The query failed: {}.": "查询失败：{}。",
  "The connection to the server broke. Is it still running?": "与服务器的连接已断开。它还在运行吗？",
  "The server does not answer. Is it still running?": "服务器没有应答。它还在运行吗？",
};
const ATTRIBUTES = ["placeholder", "aria-label"];
const said = new WeakMap(); // of text nodes, what they say in English
let chosen = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export const language = () => chosen;

// A text in the language of the page; {} stand for values.
export function words(english, ...values) {
  let text = chosen === "zh" ? CHINESE[english] ?? english : english;
  for (const value of values) text = text.replace("{}", () => value);
  return text;
}

// The same as a text node, which changes with the language.
export function say(english, ...values) {
  const node = document.createTextNode(words(english, ...values));
  said.set(node, [english, values]);
  return node;
}

// Puts everything on the page into a language.
export function speak(name) {
  chosen = name;
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    const own = node.data.trim();
    if (!said.has(node) && Object.hasOwn(CHINESE, own) && !node.parentElement.closest("pre, code, table, svg, #thread, #history, option")) {
      said.set(node, [own, []]);
    }
    if (said.has(node)) {
      const space = /^(\s*)[^]*?(\s*)$/.exec(node.data);
      const [english, values] = said.get(node);
      node.data = values.length ? words(english, ...values) : space[1] + words(english) + space[2];
    }
  }
  for (const attribute of ATTRIBUTES) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const kept = `data-english-${attribute}`;
      if (!element.hasAttribute(kept)) element.setAttribute(kept, element.getAttribute(attribute));
      element.setAttribute(attribute, words(element.getAttribute(kept)));
    }
  }
}

// The same, and keeps the choice.
export function choose(name) {
  localStorage.setItem("language", name);
  speak(name);
}
