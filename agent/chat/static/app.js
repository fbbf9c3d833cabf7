import { $, button, call, el } from "./dom.js";
import { showCard } from "./card.js";
import { openSources, setUpSources } from "./sources.js";

const LEGEND = [["supported", "✓", "Supported"], ["refuted", "✗", "Refuted"], ["not_enough_evidence", "?", "Not Enough Evidence"], ["conflicting", "⇄", "Conflicting"]];
const GRAVITY = ["refuted", "conflicting", "failed", "not_enough_evidence", "abstained", "left", "supported"];
const SHORTEST = 12; // characters of a statement that can be checked
const desk = { id: null, events: null, claims: new Map(), sentences: new Map(), claim: null, began: 0, status: null };
const api = (rest = "") => `/api/conversations/${desk.id}${rest}`;

// --- opening and following a conversation

async function open(id) {
  desk.events?.close();
  Object.assign(desk, { id, claims: new Map(), sentences: new Map(), claim: null, began: Date.now() });
  let state;
  try { state = await call("GET", api()); } catch (error) { history.replaceState(null, "", "/"); return fail("start-error", error); }
  if (location.hash !== `#${id}`) history.pushState(null, "", `#${id}`);
  $("start").hidden = true; $("work").hidden = false; $("export").hidden = false; $("open-sources").hidden = false;
  for (const link of $("export").querySelectorAll("a")) link.href = api(`/export.${link.dataset.form}`);
  $("turns").replaceChildren(); closeCard(); $("own-list").replaceChildren();
  desk.controls = state.controls;
  article(state.article);
  for (const sentence of state.sentences) desk.sentences.set(sentence.index, sentence);
  claims(state.claims);
  for (const turn of state.turns) showTurn(turn);
  waiting.status = state.status; later();
  follow(state.last);
}

function follow(last) {
  const events = (desk.events = new EventSource(api(`/events?after=${encodeURIComponent(last)}`)));
  const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("article", article);
  on("sentence", (sentence) => { desk.sentences.set(sentence.index, sentence); repaint(sentence.index); });
  on("claim", (claim) => { desk.claims.set(claim.id, claim); repaint(claim.sentence); if (desk.claim === claim.id) openCard(claim.id, false); });
  on("turn", showTurn);
  on("controls", (controls) => { desk.controls = controls; });
  on("status", (now) => { waiting.status = now; later(); });
  on("reset", () => open(desk.id));
}

// --- changes are shown once a frame, and no more of them than a frame has time for; the status last

const waiting = { sentences: new Set(), status: null, frame: 0 };
const LONGEST = 6; // milliseconds
function later() { waiting.frame ||= requestAnimationFrame(show); }
function repaint(index) { waiting.sentences.add(index ?? null); later(); }

function show() {
  waiting.frame = 0;
  const end = performance.now() + LONGEST, found = bySentence();
  for (const index of waiting.sentences) {
    waiting.sentences.delete(index);
    paint(index, found);
    if (performance.now() > end) break;
  }
  if (waiting.sentences.size) later();
  else if (waiting.status) { status(waiting.status); waiting.status = null; }
}

function bySentence() {
  const found = new Map();
  for (const claim of [...desk.claims.values()].sort((a, b) => a.number - b.number)) {
    if (!found.has(claim.sentence)) found.set(claim.sentence, []);
    found.get(claim.sentence).push(claim);
  }
  return found;
}

function fail(place, error) { $(place).textContent = error?.message ?? ""; }

// --- the article

function article(data) {
  $("title").textContent = data?.title ?? "No article yet";
  document.title = data ? `${data.title} · factdesk` : "factdesk";
  const body = document.createDocumentFragment();
  let paragraph = el("p", { dir: "auto" });
  for (const part of data?.parts ?? []) {
    if (part.sentence === undefined) {
      if (part.text.includes("\n") && paragraph.childNodes.length) { body.append(paragraph); paragraph = el("p", { dir: "auto" }); }
      else paragraph.append(part.text);
    } else {
      paragraph.append(el("span", { class: "sentence", id: `s${part.sentence}` }, el("span", { class: "text" }, part.text)));
    }
  }
  if (paragraph.childNodes.length) body.append(paragraph);
  $("article").replaceChildren(body);
  $("legend").replaceChildren(...LEGEND.map(([state, symbol, name]) => el("li", { class: state }, el("b", { "aria-hidden": "true" }, symbol), ` ${name}`)), el("li", {}, "No mark: nothing to check"));
  for (const index of desk.sentences.keys()) repaint(index);
}

function claims(list) {
  for (const claim of list) { desk.claims.set(claim.id, claim); repaint(claim.sentence); }
  for (const index of desk.sentences.keys()) repaint(index);
}

function reference(claim) {
  const name = `Claim ${claim.number}: ${claim.is_running ? "being checked" : claim.name}`;
  const mark = claim.is_running && claim.state === "left" ? "…" : claim.symbol;
  return button(`${mark} ${claim.number}`, () => openCard(claim.id), { class: `ref ${claim.state}${claim.is_running ? " running" : ""}`, "aria-label": name, "data-claim": claim.id });
}

function paint(index, found) {
  const mine = found.get(index) ?? [];
  if (index === null) return paintOwn(mine);
  const place = $(`s${index}`);
  if (!place) return;
  const entry = desk.sentences.get(index);
  place.querySelector("sup")?.remove();
  place.className = "sentence";
  place.removeAttribute("title");
  if (mine.length) {
    const gravest = mine.reduce((a, b) => (GRAVITY.indexOf(a.state) <= GRAVITY.indexOf(b.state) ? a : b));
    place.classList.add(gravest.state);
    if (mine.some((claim) => claim.is_running)) place.classList.add("running");
    place.append(el("sup", {}, ...mine.map(reference)));
  } else if (entry && entry.status !== "checked") {
    place.classList.add(entry.status);
    const text = place.querySelector(".text").textContent.replace(/\s+/g, " ").trim();
    if (text.length >= SHORTEST) place.append(el("sup", {}, button("Check this one", () => send(`Check this sentence: ${text}`), { class: "ref ask", "data-testid": "check-this" })));
    place.title = `${entry.status.replace("_", " ")}: ${entry.reason}`;
  }
}

function paintOwn(own) {
  $("own").hidden = !own.length;
  $("own-list").replaceChildren(...own.map((claim) => el("p", { class: `sentence ${claim.state}` }, el("span", { class: "text" }, claim.text), el("sup", {}, reference(claim)))));
}

// --- progress

function status(now) {
  desk.status = now;
  const busy = now.phase === "checking";
  $("stop").hidden = !busy; $("progress").hidden = !busy;
  $("go-on").hidden = !["stopped", "failed"].includes(now.phase);
  const total = now.claims + Math.max(0, now.sentences - now.read);
  if (total) $("progress").value = now.checked / total; else $("progress").removeAttribute("value");
  tick();
}

function tick() {
  const now = desk.status;
  if (!now) return;
  const cost = now.cost === null ? "" : ` · $${now.cost.toFixed(4)}`;
  const counts = `${now.checked} of ${now.claims} ${now.claims === 1 ? "claim" : "claims"}`;
  const busy = `${now.waiting || `Sentence ${now.read} of ${now.sentences || "…"}`} · ${counts} · ${Math.round((Date.now() - desk.began) / 1000)} s`;
  const words = { empty: "No article yet", checking: busy, done: `${counts} checked · ${Math.round(now.seconds)} s · ${now.model_calls} model calls, ${now.tokens} tokens${cost}`, stopped: `Stopped at ${counts}`, failed: `Failed at ${counts}` };
  $("status").textContent = words[now.phase];
}
setInterval(() => desk.status?.phase === "checking" && tick(), 1000);

// --- the conversation

function cite(ref) {
  if (ref.type === "claim") return button(ref.label, () => openCard(ref.claim), { class: "cite" });
  if (ref.type === "sentence") return button(ref.label, () => $(`s${ref.sentence}`)?.scrollIntoView({ block: "center" }), { class: "cite" });
  return button(ref.label, () => showSource(ref), { class: "cite", "aria-label": `Open the source at the quote: ${ref.label}` });
}

function outcome(one) { return el("b", { class: `outcome ${one.state}` }, `${one.symbol} ${one.name} ${one.confidence}`); }

function change(one) {
  const line = (word, cited) => el("li", {}, `${word}: “${cited.quote}” `, cite(cited));
  const same = one.before.state === one.after.state;
  return el("div", { class: "change", "data-testid": "change" },
    el("p", {}, button(`Claim ${one.number}`, () => openCard(one.claim), { class: "cite" }), " ", outcome(one.before), " → ", outcome(one.after)),
    el("ul", {}, ...one.came.map((cited) => line("Came", cited)), ...one.went.map((cited) => line("Went", cited)),
      one.came.length + one.went.length ? "" : el("li", {}, same ? "The same quotes as before, so the same verdict." : "The same quotes, weighed under other settings.")));
}

function showTurn(turn) {
  const list = $("turns");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const node = el("div", { class: `turn ${turn.who}`, id: `t${turn.number}`, "data-testid": turn.who },
    el("span", { class: "unseen" }, turn.who === "you" ? "You: " : "Desk: "),
    turn.note && el("p", { dir: "auto" }, turn.note),
    turn.statements.length ? el("ul", { class: "said" }, ...turn.statements.map((one) => el("li", { dir: "auto" }, `${one.text} `, ...one.refs.map(cite)))) : "",
    ...turn.changes.map(change),
    turn.is_open ? el("p", { class: "soft writing" }, "Looking for words …") : "",
    turn.offers.length ? el("p", { class: "offers" }, ...turn.offers.map((text) => button(text, () => (text.includes("…") ? fill(text) : send(text))))) : "");
  const old = $(`t${turn.number}`);
  if (old) old.replaceWith(node); else list.append(node);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function fill(text) { $("say").value = text.replace(/…$/, ""); $("say").focus(); }

async function send(text) {
  fail("talk-error", null);
  desk.began = Date.now();
  try { await call("POST", api("/messages"), { text, claim: desk.claim }); return true; } catch (error) { fail("talk-error", error); return false; }
}

// --- card and source

async function openCard(id, focus = true) {
  const was = desk.claim;
  desk.claim = id;
  try {
    const card = await call("GET", api(`/claims/${id}`));
    showCard($("card"), card, { cite, close: closeCard, ask: send, fill, source: showSource, article: () => $(`s${card.sentence}`)?.scrollIntoView({ block: "center" }) });
    $("about").textContent = `About claim ${card.number}`;
    $("work").classList.add("with-card");
    if (focus) $("card").focus({ preventScroll: was === id });
  } catch (error) { fail("talk-error", error); }
}

function closeCard() {
  $("card").hidden = true; $("about").textContent = ""; $("work").classList.remove("with-card");
  const was = desk.claim; desk.claim = null;
  if (was) document.querySelector(`[data-claim="${CSS.escape(was)}"]`)?.focus();
}

async function showSource(ref) {
  const page = await call("GET", api(`/sources/${encodeURIComponent(ref.document)}?start=${ref.start}&end=${ref.end}`));
  $("source-title").textContent = page.title;
  const facts = [page.publisher || "Publisher unknown", page.published || "date unknown", page.kind].join(" · ");
  $("source-facts").replaceChildren(facts, page.url ? " · " : "", page.url ? el("a", { href: page.url, rel: "noopener noreferrer nofollow", target: "_blank" }, "original") : "");
  const mark = el("mark", { "data-testid": "mark" }, page.quote);
  $("source-text").replaceChildren(page.before, mark, page.after);
  $("source").showModal();
  mark.scrollIntoView({ block: "center" });
}

// --- start, list, keys

async function begin(body, raw, name) {
  fail("start-error", null);
  $("begin").setAttribute("aria-busy", "true");
  try {
    const made = raw ? await call("POST", `/api/conversations/upload?name=${encodeURIComponent(name)}`, undefined, raw) : await call("POST", "/api/conversations", body);
    $("begin").reset();
    await open(made.id);
  } catch (error) { fail("start-error", error); } finally { $("begin").removeAttribute("aria-busy"); }
}

function home() {
  desk.events?.close(); desk.id = null; desk.status = null;
  $("start").hidden = false; $("work").hidden = true; $("export").hidden = true; $("open-sources").hidden = true;
  for (const id of ["stop", "progress", "go-on"]) $(id).hidden = true;
  $("status").textContent = ""; document.title = "factdesk";
  if (location.hash) history.pushState(null, "", "/");
  $("text").focus();
}

let asked = 0, doomed = null;
async function listed() {
  const mine = ++asked;
  const rows = await call("GET", `/api/conversations?search=${encodeURIComponent($("list-search").value)}`);
  if (mine !== asked) return; // a later search is on its way
  $("list-rows").replaceChildren(...rows.map((row) => el("li", {},
    button(row.title, () => { $("list").close(); open(row.id); }, { class: "cite" }), el("span", { class: "soft" }, row.updated.slice(0, 16).replace("T", " ")),
    button(row.id === doomed ? "Delete for good" : "Delete", async () => {
      if (row.id !== doomed) { doomed = row.id; return listed(); }
      await call("DELETE", `/api/conversations/${row.id}`);
      if (row.id === desk.id) home();
      listed();
    }, { "aria-label": `Delete ${row.title}` }))), rows.length ? "" : el("li", { class: "soft" }, "None."));
}

$("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!$("text").value.trim()) return fail("start-error", new Error("There is nothing to check yet: paste a text, or open a file."));
  const text = $("text").value.trim(), said = /^https?:\/\/\S+$/i.test(text) ? { url: text } : { text: $("text").value };
  begin({ ...said, controls: $("start-day").value ? { as_of: $("start-day").value } : {} });
});
$("file").addEventListener("change", () => $("file").files[0] && begin(null, $("file").files[0], $("file").files[0].name));
$("seed").addEventListener("click", () => begin({ seed: true }));
$("start").addEventListener("dragover", (event) => event.preventDefault());
$("start").addEventListener("drop", (event) => { event.preventDefault(); const file = event.dataTransfer.files[0]; if (file) begin(null, file, file.name); });
$("ask").addEventListener("submit", async (event) => { event.preventDefault(); const text = $("say").value.trim(); if (text && (await send(text))) $("say").value = ""; });
$("say").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); $("ask").requestSubmit(); } });
$("stop").addEventListener("click", () => call("POST", api("/cancel"), {}));
$("go-on").addEventListener("click", () => { desk.began = Date.now(); call("POST", api("/checks"), { go_on: true }).catch((error) => fail("talk-error", error)); });
$("home").addEventListener("click", home);
$("open-list").addEventListener("click", () => { $("list").showModal(); listed(); });
$("list-search").addEventListener("input", listed);
$("open-sources").addEventListener("click", () => openSources(desk, api));
for (const close of document.querySelectorAll("dialog .close")) close.addEventListener("click", () => close.closest("dialog").close());
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && desk.claim && !document.querySelector("dialog[open]")) closeCard(); });
addEventListener("popstate", () => (location.hash.length > 1 ? open(location.hash.slice(1)) : home()));

setUpSources(desk, api);
call("GET", "/api/desk").then((facts) => {
  if (facts.opens_addresses) $("text").placeholder = "Paste the text or the address of a page, or drop a file here.";
  const leaves = [facts.profile === "local" ? "" : "what the model is sent", facts.opens_addresses ? "the addresses you open" : ""].filter(Boolean).join(" and ");
  $("desk").textContent = `${facts.sources} sources in the store · ${facts.model} · nothing leaves this machine${leaves && ` but ${leaves}`}.`;
});
if (location.hash.length > 1) open(location.hash.slice(1)); else $("text").focus();
