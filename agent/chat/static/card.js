import { button, el } from "./dom.js";

function quote(one, side, acts) {
  const facts = [one.publisher || "Publisher unknown", one.published || "date unknown", one.kind].filter(Boolean).join(" · ");
  return el("figure", { class: `quote ${side}` },
    el("blockquote", { dir: "auto" }, one.before, el("mark", {}, one.quote), one.after),
    el("figcaption", {}, button(one.title, () => acts.source(one), { class: "cite", "aria-label": `Open the source at the quote: ${one.title}` }), ` ${facts}`, one.repeats ? ` · same origin as ${one.repeats}` : ""));
}

const list = (title, lines, name) => lines.length ? el("section", { class: name }, el("h4", {}, title), el("ul", {}, ...lines.map((line) => el("li", { dir: "auto" }, line)))) : "";

export function showCard(place, card, acts) {
  const ask = (text) => button(text, () => acts.ask(text));
  place.className = card.state;
  place.replaceChildren(
    el("header", {},
      el("b", { class: `outcome ${card.state}`, "data-testid": "verdict" }, `${card.symbol} ${card.name}`),
      el("span", { class: "soft" }, card.confidence ? `confidence ${card.confidence}` : ""),
      button("Close", acts.close, { class: "close" })),
    el("h3", { dir: "auto" }, `${card.number}. ${card.text}`),
    card.origin && el("p", { class: "soft" }, button("In the article", acts.article, { class: "cite" }), ` “${card.origin}”`),
    ...card.notes.map((note) => el("p", { class: "soft", dir: "auto" }, note)),
    card.correction ? el("p", { class: "notice" }, `You say ${card.correction.label}: ${card.correction.why} The verdict of the run stands.`) : "",
    card.abstained ? el("p", { class: "notice" }, "Below the threshold of this run, so there is no verdict.") : "",
    card.failure ? el("p", { class: "notice" }, `No verdict: the stage “${card.stage}” failed. ${card.failure}`) : "",
    card.justification && el("p", { dir: "auto" }, card.justification),
    list("Checks that differ", card.differs, "differs"),
    ...card.groups.map((group) => el("section", {}, el("h4", { class: group.stance }, group.title), ...group.shown.map((one) => quote(one, group.stance, acts)),
      group.folded.length ? el("details", {}, el("summary", {}, `${group.folded.length} more`), ...group.folded.map((one) => quote(one, group.stance, acts))) : "")),
    card.origins || card.reading ? el("p", { class: "soft" }, [card.groups.length ? card.origins : "No quote decides it", card.reading].filter(Boolean).join(" · ")) : "",
    list("What would change the verdict", card.would_change, "change-list"),
    el("details", {}, el("summary", {}, "What was searched and read"), list("Searched", card.queries, ""), list("Checks that agree", card.agrees, ""), list("Read, without bearing", card.undecided, "")),
    el("p", { class: "offers" }, ask(`Why claim ${card.number}?`), ask(`Explain claim ${card.number} simply`), ask(`Check claim ${card.number} again`), button("Correct it …", () => acts.fill(`Correct claim ${card.number} to refuted because …`))));
  place.hidden = false;
}
