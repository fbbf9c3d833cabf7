"""Notes on claims: where else the same stands, and what was said apart."""

from agent.domain import Claim
from agent.report.notes import Notes
from tests.report.sample import sample_result


def result_with(*claims):
    sample = sample_result()
    ledger = sample.ledger.model_copy(update={"claims": claims})
    return sample.model_copy(update={"ledger": ledger, "verifications": ()})


def test_the_same_in_two_sentences_is_told_at_both():
    """With number and sentence of the other; articles and case make no difference."""
    one = Claim(id="a", text="The mill burnt down.", sentence_index=0)
    two = Claim(id="b", text="A mill burnt down", sentence_index=4)
    notes = Notes(result_with(one, two))
    assert notes.of(one) == ("Says the same as claim 2 (sentence 4)",)
    assert notes.of(two) == ("Says the same as claim 1 (sentence 0)",)
    assert (notes.first_of(one), notes.first_of(two)) == (None, one)


def test_another_sign_is_another_statement():
    """A minus or a unit makes a difference, though it is no word."""
    one = Claim(id="a", text="It fell to -5 %.", sentence_index=0)
    two = Claim(id="b", text="It fell to 5 %.", sentence_index=1)
    assert Notes(result_with(one, two)).of(one) == ()


def test_what_was_said_points_at_the_claim_that_it_was():
    """And a claim without an article is like no other."""
    said = Claim(id="a", text="Lorca said that the mill burnt down.", sentence_index=0)
    content = Claim(id="b", text="The mill burnt down.", sentence_index=0, content_of="a")
    own = Claim(id="c", text="The mill burnt down.")
    notes = Notes(result_with(said, content, own))
    assert notes.of(content) == ("What was said, checked for itself; that it was said is claim 1",)
    assert notes.of(said) == notes.of(own) == ()
