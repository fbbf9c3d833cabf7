import { $, button, call, el } from "./dom.js";

const KINDS = ["official", "wire", "newspaper", "ngo", "encyclopedia", "partisan", "research", "fact_check", "other"];
let desk, api;

const guarded = async (act) => {
  $("sources-error").textContent = "";
  try { await act(); } catch (error) { $("sources-error").textContent = error.message; }
};

function row(source) {
  const publisher = el("input", { value: source.publisher, "aria-label": `Publisher of ${source.title}` });
  const day = el("input", { value: source.published, placeholder: "undated", "aria-label": `Date of ${source.title}`, size: "10" });
  const save = () => guarded(async () => { await call("PATCH", api(`/sources/${encodeURIComponent(source.id)}`), { publisher: publisher.value, published: day.value, kind: source.kind }); await load(); });
  const drop = () => guarded(async () => { await call("DELETE", api(`/sources/${encodeURIComponent(source.id)}`)); await load(); });
  const back = () => guarded(async () => { const hidden = desk.controls.hidden.filter((id) => id !== source.id); await call("PUT", api("/controls"), { ...desk.controls, hidden }); desk.controls = { ...desk.controls, hidden }; await load(); });
  return el("li", { class: source.is_hidden ? "out" : "", "data-testid": "source" }, el("b", {}, source.title), " ", el("span", { class: "soft" }, source.is_own ? "yours · " : "", source.kind),
    source.passage ? el("blockquote", {}, source.passage) : el("span", { class: "row" }, publisher, day, button("Save", save), source.is_hidden ? button("Use again", back) : button(source.is_own ? "Remove" : "Leave out", drop)));
}

async function load() {
  const found = await call("GET", api(`/sources?search=${encodeURIComponent($("find-text").value)}`));
  $("source-list").replaceChildren(...found.map(row), found.length ? "" : el("li", { class: "soft" }, "None."));
}

export function openSources() {
  $("day").value = desk.controls.as_of ?? "";
  $("undated").checked = desk.controls.undated === "keep";
  for (const box of $("kinds").querySelectorAll("input")) box.checked = !desk.controls.kinds.length || desk.controls.kinds.includes(box.value);
  $("sources").showModal();
  guarded(load);
}

export function setUpSources(theDesk, theApi) {
  [desk, api] = [theDesk, theApi];
  $("kinds").replaceChildren(...KINDS.map((kind) => el("label", {}, el("input", { type: "checkbox", value: kind }), ` ${kind}`)));
  $("find").addEventListener("submit", (event) => { event.preventDefault(); guarded(load); });
  $("apply").addEventListener("click", () => guarded(async () => {
    const kinds = [...$("kinds").querySelectorAll("input:checked")].map((box) => box.value);
    await call("PUT", api("/controls"), { ...desk.controls, as_of: $("day").value || null, undated: $("undated").checked ? "keep" : "drop", kinds: kinds.length === KINDS.length ? [] : kinds });
    await call("POST", api("/checks"), {});
    $("sources").close();
  }));
  $("add").addEventListener("submit", (event) => { event.preventDefault(); guarded(async () => {
    await call("POST", api("/sources"), { text: $("add-text").value, publisher: $("add-publisher").value, published: $("add-day").value });
    $("add").reset(); await load();
  }); });
  $("add-file").addEventListener("change", () => guarded(async () => {
    const file = $("add-file").files[0];
    if (file) { await call("POST", api(`/sources/upload?file=${encodeURIComponent(file.name)}`), undefined, file); await load(); }
  }));
}
