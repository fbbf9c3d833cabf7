"""A rich sample result: every label, an abstention, a failure, a claim left, ambiguous and failed sentences.

`spice` is appended to every text that comes from outside, so that two samples differ in text and nothing else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from agent.domain import (
    Anchor,
    Check,
    CheckKind,
    Citation,
    Claim,
    ClaimKind,
    Document,
    Evidence,
    Failure,
    FailureKind,
    Hit,
    Label,
    Ledger,
    LedgerEntry,
    Passage,
    Purpose,
    Query,
    Result,
    Run,
    Sentence,
    SentenceStatus,
    SourceKind,
    Span,
    Stance,
    StanceScores,
    Usage,
    Verdict,
    Verification,
    claim_id,
    passage_of,
    short_hash,
    text_sha256,
)

HARMLESS = " and so on"
HOSTILE = (
    " <script>alert(1)</script> \"><img src=x onerror=alert(1)> '><svg onload=alert(2)> javascript:alert(1)"
    " {{7*7}} {% raw %} </style></title><!-- ]]> &lt;b&gt; `x` *y* [l](javascript:alert(1)) <javascript:a> | # h"
    ' https://x.example/" onmouseover="a \u202egnp.exe\u2066\U000e0041\x07 ![i](http://x.example/i.png) ~~~ ---'
)

SOURCES = {
    "port": (
        "Harbour statistics 2031",
        "Brenholm Port Authority",
        "2032-01-15",
        SourceKind.OFFICIAL,
        (
            "The Port Authority publishes its figures every January. In 2031 the harbour of Brenholm handled 4.2 "
            "million tonnes of goods, 6 percent more than in the year before. Container traffic fell for the third "
            "year in a row. The authority names the new grain terminal as the main reason for growth. The terminal "
            "opened on 3 May 2031 after a delay of eleven months, and took its first ship the same evening."
        ),
    ),
    "wire": (
        "Brenholm grain terminal opens late",
        "Nordwire",
        "2031-05-04",
        SourceKind.WIRE,
        (
            "BRENHOLM, 4 May (Nordwire). The grain terminal in Brenholm was opened on Saturday, eleven months behind "
            "schedule. Mayor Ilse Tarrant cut the ribbon before some 300 guests. The building cost 87 million crowns, "
            "the city treasurer said, against a plan of 61 million."
        ),
    ),
    "copy": (
        "Grain terminal opens in Brenholm",
        "The Sund Courier",
        "2031-05-05",
        SourceKind.NEWSPAPER,
        (
            "The grain terminal in Brenholm was opened on Saturday, eleven months behind schedule. Mayor Ilse Tarrant "
            "cut the ribbon before some 300 guests. The building cost 87 million crowns, the city treasurer said."
        ),
    ),
    "survey": (
        "Breathing by the quay: a survey of air in Brenholm",
        "University of Sund",
        "2031-11",
        SourceKind.RESEARCH,
        (
            "We measured particulate matter at nine places around the harbour between March and October. At seven of "
            "the nine places the yearly mean fell after the ferries were put on shore power. At the two places "
            "nearest to the grain terminal it rose by a fifth. We cannot say whether the harbour as a whole has "
            "become cleaner."
        ),
    ),
    "residents": (
        "Our air, our quay",
        "Quayside Residents' Union",
        None,
        SourceKind.NGO,
        (
            "Since the terminal opened, windows on Tar Street have been grey by noon. The air in the harbour quarter "
            "has become worse, whatever the city says."
        ),
    ),
}


@dataclass(frozen=True)
class Find:
    """A passage judged for a claim: document, quote (None is neutral), stance, probability."""

    document: str
    quote: str | None
    stance: Stance
    probability: float = 0.9


@dataclass(frozen=True)
class Case:
    """A claim of the sample with what shall come of it."""

    text: str
    outcome: Label | str
    finds: tuple[Find, ...] = ()
    confidence: float | None = 0.9
    justification: str = ""
    kind: ClaimKind = ClaimKind.EVENT
    speaker: str | None = None
    checks: tuple[tuple[CheckKind, str, str, bool], ...] = ()
    queries: tuple[str, ...] = ()
    dropped: int = 0
    abstained: bool = False
    origins: int = 1


@dataclass(frozen=True)
class Line:
    """A sentence of the sample article."""

    text: str
    status: SentenceStatus = SentenceStatus.CHECKED
    reason: str = ""
    cases: tuple[Case, ...] = ()
    gap: str = " "


LINES = (
    Line(
        "Brenholm harbour breaks its record, and its promises",
        SentenceStatus.NOT_CHECKABLE,
        "A headline that sums up the article.",
        gap="\n\n",
    ),
    Line(
        "Brenholm harbour handled 4.2 million tonnes of goods in 2031, 6 percent more than in 2030.",
        cases=(
            Case(
                "Brenholm harbour handled 4.2 million tonnes of goods in 2031.",
                Label.SUPPORTED,
                (
                    Find(
                        "port",
                        "In 2031 the harbour of Brenholm handled 4.2 million tonnes of goods",
                        Stance.SUPPORTS,
                        0.97,
                    ),
                    Find("wire", None, Stance.NEUTRAL),
                ),
                0.96,
                "The Port Authority's own yearly figures give 4.2 million tonnes for 2031.",
                ClaimKind.QUANTITY,
                checks=((CheckKind.NUMBER, "4.2 million", "4.2 million", True),),
                queries=("Brenholm harbour handled 4.2 million tonnes of goods in 2031.",),
            ),
            Case(
                "Goods handled in Brenholm harbour grew by 6 percent from 2030 to 2031.",
                Label.SUPPORTED,
                (Find("port", "6 percent more than in the year before", Stance.SUPPORTS, 0.91),),
                0.88,
                "The Port Authority gives the same growth over the year before.",
                ClaimKind.QUANTITY,
                queries=("Brenholm harbour growth 2031",),
            ),
        ),
    ),
    Line(
        "The new grain terminal, which opened on time in May 2031, cost 61 million crowns.",
        cases=(
            Case(
                "The grain terminal in Brenholm opened on time in May 2031.",
                Label.REFUTED,
                (
                    Find(
                        "wire",
                        "The grain terminal in Brenholm was opened on Saturday, eleven months behind schedule.",
                        Stance.REFUTES,
                        0.98,
                    ),
                    Find(
                        "copy",
                        "The grain terminal in Brenholm was opened on Saturday, eleven months behind schedule.",
                        Stance.REFUTES,
                        0.98,
                    ),
                    Find(
                        "port",
                        "opened on 3 May 2031 after a delay of eleven months",
                        Stance.REFUTES,
                        0.95,
                    ),
                ),
                0.95,
                "It did open in May 2031, but three reports agree that it was eleven months late.",
                checks=((CheckKind.DATE, "May 2031", "3 May 2031", True),),
                queries=("The grain terminal in Brenholm opened on time in May 2031.",),
                origins=2,
            ),
            Case(
                "The grain terminal in Brenholm cost 61 million crowns.",
                Label.REFUTED,
                (
                    Find("wire", "The building cost 87 million crowns", Stance.REFUTES, 0.96),
                    Find("copy", "The building cost 87 million crowns", Stance.REFUTES, 0.96),
                    Find("port", None, Stance.NEUTRAL),
                    Find("wire", "against a plan of 61 million", Stance.SUPPORTS, 0.55),
                ),
                0.91,
                "61 million crowns was the plan. The treasurer put the cost at 87 million.",
                ClaimKind.QUANTITY,
                checks=((CheckKind.NUMBER, "61 million crowns", "87 million crowns", False),),
                queries=("cost of the grain terminal in Brenholm", "Brenholm terminal not 61 million"),
                dropped=1,
            ),
        ),
    ),
    Line("It was worth every coin.", SentenceStatus.NOT_CHECKABLE, "A judgement of value.", gap="\n\n"),
    Line(
        "The air in the harbour quarter has become worse since the terminal opened.",
        cases=(
            Case(
                "The air in the harbour quarter of Brenholm has become worse since the grain terminal opened.",
                Label.CONFLICTING,
                (
                    Find(
                        "residents",
                        "The air in the harbour quarter has become worse",
                        Stance.SUPPORTS,
                        0.93,
                    ),
                    Find(
                        "survey",
                        "At seven of the nine places the yearly mean fell",
                        Stance.REFUTES,
                        0.74,
                    ),
                    Find(
                        "survey",
                        "At the two places nearest to the grain terminal it rose by a fifth.",
                        Stance.SUPPORTS,
                        0.81,
                    ),
                ),
                0.71,
                "Residents report worse air and the two places next to the terminal agree; seven of nine places "
                "measured by the university got better.",
                ClaimKind.COMPARISON,
                queries=("air quality Brenholm harbour quarter grain terminal",),
                origins=2,
            ),
        ),
    ),
    Line(
        "They knew this from the start.",
        SentenceStatus.AMBIGUOUS,
        "“They” may be the city, the port or the residents.",
    ),
    Line(
        "Mayor Ilse Tarrant said she had not read the survey before it was published.",
        cases=(
            Case(
                "Mayor Ilse Tarrant of Brenholm said that she had not read the air survey before its publication.",
                Label.NOT_ENOUGH_EVIDENCE,
                (Find("survey", None, Stance.NEUTRAL), Find("wire", None, Stance.NEUTRAL)),
                0.83,
                "Two passages name the mayor or the survey; none reports what she said about it.",
                ClaimKind.QUOTE,
                "Ilse Tarrant",
                queries=("Tarrant had not read the survey", "Ilse Tarrant air survey statement"),
                origins=0,
            ),
        ),
    ),
    Line(
        "Some 300 guests came to the opening.",
        cases=(
            Case(
                "About 300 guests attended the opening of the grain terminal in Brenholm.",
                Label.SUPPORTED,
                (
                    Find("wire", "before some 300 guests", Stance.SUPPORTS, 0.9),
                    Find("copy", "before some 300 guests", Stance.SUPPORTS, 0.9),
                ),
                None,
                "A wire report and its reprint both give some 300 guests.",
                ClaimKind.QUANTITY,
                queries=("guests at the opening of the Brenholm grain terminal",),
            ),
        ),
        gap="\n\n",
    ),
    Line(
        "Container traffic has fallen because of the toll on the Sund bridge.",
        cases=(
            Case(
                "Container traffic in Brenholm has fallen.",
                Label.SUPPORTED,
                (
                    Find(
                        "port",
                        "Container traffic fell for the third year in a row.",
                        Stance.SUPPORTS,
                        0.66,
                    ),
                ),
                0.52,
                "The yearly figures speak of a third fall in a row.",
                queries=("container traffic Brenholm",),
                abstained=True,
            ),
            Case(
                "The toll on the Sund bridge caused the fall of container traffic in Brenholm.",
                "The server did not answer within 120 s, 4 tries.",
                kind=ClaimKind.CAUSAL,
                queries=("Sund bridge toll container traffic Brenholm",),
            ),
        ),
    ),
    Line("Cf. tbl. 3 n.b. ibid.", SentenceStatus.FAILED, "The reply could not be read after one repair."),
    Line(
        "The next terminal will be built by 2035.",
        cases=(Case("A second terminal will be built in Brenholm by 2035.", "left"),),
        gap="\n",
    ),
)


@dataclass
class _Kitchen:
    """Builds the parts of one sample; `spice` follows every outside text."""

    spice: str = ""
    url: str | None = "https://sources.example/{name}?a=1&b=2"
    documents: dict[str, Document] = field(default_factory=dict)

    def cook_documents(self) -> None:
        for name, (title, publisher, published, kind, text) in SOURCES.items():
            body = text + self.spice
            self.documents[name] = Document(
                id=f"doc-{name}{self.spice}",
                text=body,
                title=title + self.spice,
                url=self.url.format(name=name) if self.url and "{name}" in self.url else self.url,
                publisher=publisher + self.spice,
                published=published,
                kind=kind,
                sha256=text_sha256(body),
                anchors=(Anchor(name=f"page 1{self.spice}", start=0),) if name == "port" else (),
            )

    def passage(self, name: str) -> Passage:
        document = self.documents[name]
        return passage_of(document, Span(start=0, end=len(document.text)))

    def evidence(self, find: Find, claim: Claim) -> Evidence:
        passage = self.passage(find.document)
        rest = (1 - find.probability) / 2
        scores = dict.fromkeys(("supports", "refutes", "neutral"), rest) | {find.stance.value: find.probability}
        return Evidence(
            claim_id=claim.id,
            passage_id=passage.id,
            document_id=passage.document_id,
            span=passage.span,
            origin="nordwire" if find.document in {"wire", "copy"} else find.document,
            stance=find.stance,
            scores=StanceScores(**scores),
            citation=None if find.quote is None else self.citation(find, passage),
        )

    def citation(self, find: Find, passage: Passage) -> Citation:
        assert find.quote is not None
        end = len(passage.text) if passage.text.endswith(find.quote + self.spice) else None
        start = passage.text.index(find.quote)
        span = Span(start=start, end=end or start + len(find.quote))
        return Citation(document_id=passage.document_id, span=span, quote=span.of(passage.text), stance=find.stance)

    def verification(self, case: Case, claim: Claim) -> Verification:
        evidence = tuple(self.evidence(find, claim) for find in case.finds)
        hits = tuple(
            Hit(
                passage=self.passage(find.document),
                rank=rank,
                score=1 / (60 + rank),
                origin=find.document,
                found_by=tuple(text + self.spice for text in case.queries[:1]),
            )
            for rank, find in enumerate(case.finds, 1)
        )
        return Verification(
            claim=claim,
            queries=tuple(
                Query(claim_id=claim.id, text=text + self.spice, purpose=purpose, round=number)
                for number, (text, purpose) in enumerate(zip(case.queries, Purpose, strict=False), 1)
            ),
            hits=hits,
            evidence=evidence,
            checks=tuple(
                Check(
                    kind=kind,
                    claim_value=of_claim + self.spice,
                    quote_value=of_quote + self.spice,
                    agrees=agrees,
                    passage_id=hits[0].passage.id,
                )
                for kind, of_claim, of_quote, agrees in case.checks
            ),
            dropped_citations=case.dropped,
            outcome=self.outcome(case, evidence),
        )

    def outcome(self, case: Case, evidence: tuple[Evidence, ...]) -> Verdict | Failure:
        if not isinstance(case.outcome, Label):
            return Failure(stage="judge" + self.spice, kind=FailureKind.TRANSIENT, message=case.outcome + self.spice)
        wanted = {
            Label.SUPPORTED: {Stance.SUPPORTS},
            Label.REFUTED: {Stance.REFUTES},
            Label.CONFLICTING: {Stance.SUPPORTS, Stance.REFUTES},
            Label.NOT_ENOUGH_EVIDENCE: set(),
        }[case.outcome]
        return Verdict(
            label=case.outcome,
            confidence=case.confidence,
            abstained=case.abstained,
            rationale=tuple(row.citation for row in evidence if row.citation and row.stance in wanted),
            justification=case.justification + self.spice,
            origins=case.origins,
        )


def sample_result(
    spice: str = "", *, url: str | None = "https://sources.example/{name}?a=1&b=2", repeat: int = 1
) -> Result:
    """The sample; `url` is that of the article and all documents, `repeat` makes the article longer."""
    kitchen = _Kitchen(spice, url)
    kitchen.cook_documents()
    text, entries, claims, verifications = "", [], [], []
    for index, line in enumerate(itertools.chain.from_iterable([LINES] * repeat)):
        span = Span(start=len(text), end=len(text) + len(line.text + spice))
        text += line.text + spice + line.gap
        found = []
        for case in line.cases:
            claim = Claim(
                id=claim_id(case.text + spice, index),
                text=case.text + spice,
                sentence_index=index,
                origin=span,
                kind=case.kind,
                speaker=case.speaker and case.speaker + spice,
            )
            found.append(claim)
            if case.outcome != "left":
                verifications.append(kitchen.verification(case, claim))
        claims += found
        entries.append(
            LedgerEntry(
                sentence=Sentence(index=index, span=span, text=line.text + spice),
                status=line.status,
                reason=line.reason and line.reason + spice,
                claim_ids=tuple(claim.id for claim in found),
            )
        )
    return Result(
        run=_run(spice),
        article=Document(
            id=short_hash(text),
            text=text,
            title="Brenholm harbour breaks its record, and its promises" + spice,
            url=url.format(name="article") if url and "{name}" in url else url,
            publisher="The Brenholm Mirror" + spice,
            published="2032-02-01",
            sha256=text_sha256(text),
        ),
        ledger=Ledger(entries=tuple(entries), claims=tuple(claims)),
        verifications=tuple(verifications),
        documents={document.id: document for document in kitchen.documents.values()},
    )


def _run(spice: str) -> Run:
    return Run(
        id="3f2a9c51d0e84b67" + spice,
        started="2032-02-02T08:30:00Z" + spice,
        code_version="0.1.0" + spice,
        profile="local" + spice,
        models={"extract" + spice: "qwen2.5-coder-1.5b-instruct" + spice, "judge": "nli-deberta-v3-xsmall"},
        prompts={"extract" + spice: "5f" * 32 + spice, "judge": "a0" * 32},
        settings={"as_of": None, "passages" + spice: 5, "abstain_below": 0.6, "undated": "drop" + spice},
        store="9b1c4e7f2a60d358" + spice,
        complete=False,
        usage=Usage(
            model_calls=14,
            prompt_tokens=9120,
            cached_tokens=6400,
            completion_tokens=1034,
            seconds=73.4,
            cost=None,
        ),
    )
