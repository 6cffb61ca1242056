"""Errors that are the same are told as one, each with what helps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.domain.outcome import MESSAGE_LIMIT, OUTCOMES, cut_code, meaning_of, normalize


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("messages.3.content: field required", "messages.17.content: field required"),
        ("prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long: 9,100,000 tokens > 200000 maximum"),
        ("request req_011CdvzDZWTGo2WQ1dBtcJgs failed", "request req_022AbcDEFghijklmnop failed"),
        ("no  such\nthing", "no such thing"),
        ("id 6f1c2b3a-0000-4000-8000-123456789abc", "id 7a1c2b3a-1111-4000-8000-123456789abc"),
    ],
)
def test_equal_errors_have_equal_messages(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("model: claude-haiku-4-5 is not available", "model: claude-opus-4-8 is not available"),
        ("`temperature` is not supported", "`top_p` is not supported"),
    ],
)
def test_different_errors_stay_apart(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


@given(st.text())
def test_normalising_any_message_ends_and_is_short(text: str) -> None:
    once = normalize(text)
    assert len(once) <= MESSAGE_LIMIT
    assert "\n" not in once


@pytest.mark.parametrize(
    ("kind", "message", "code", "retry"),
    [
        ("invalid_request_error", "max_tokens: too large", "", "changed"),
        ("invalid_request_error", "Your credit balance is too low to access the API", "", "later"),
        ("invalid_request_error", "Billing is disabled", "", "later"),
        ("invalid_request_error", "Tool 'payment_lookup' not found in provided tools", "", "changed"),
        ("invalid_request_error", "Tool `credit balance is too low` not found in provided tools", "", "changed"),
        ("invalid_request_error", "properties: keys should match (got 'credit card')", "", "changed"),
        ("invalid_request_error", "schema: must be set to false (at properties.balance)", "", "changed"),
        ("invalid_request_error", "This workspace has reached its specified API usage limits. You will", "", "later"),
        ("invalid_request_error", "You have reached your specified API usage limits.", "", "later"),
        ("invalid_request_error", "This organization has been disabled.", "", "later"),
        ("invalid_request_error", "The request timed out while trying to download the file.", "", "as_is"),
        ("invalid_request_error", "Unable to download the file. Please verify the URL", "", "changed"),
        ("invalid_request_error", "too large", "image_dimensions_too_large", "changed"),
        ("not_found_error", "", "file_expired", "changed"),
        ("rate_limit_error", "", "contract_spend_limit_reached", "later"),
        ("permission_error", "", "organization_on_hold", "later"),
        ("rate_limit_error", "", "ramp_limit_exceeded", "as_is"),
        ("billing_error", "", "", "later"),
        ("overloaded_error", "Overloaded", "", "as_is"),
        ("api_error", "Internal server error", "", "as_is"),
        ("api_error", "", "enforced_spend_limit_reached", "later"),
        ("expired", "", "", "as_is"),
        ("max_tokens", "", "", "changed"),
        ("an_error_of_tomorrow", "", "", "as_is"),
    ],
)
def test_each_kind_says_whether_sending_it_again_helps(kind: str, message: str, code: str, retry: str) -> None:
    found = meaning_of(kind, message, code)
    assert found.retry == retry
    assert found.meaning
    assert found.advice


def test_every_outcome_has_a_meaning() -> None:
    for outcome in OUTCOMES[2:]:
        assert "does not know" not in meaning_of(outcome).meaning or outcome == "unknown"


def test_only_known_stop_reasons_cut_short() -> None:
    assert cut_code("max_tokens")
    assert not cut_code("end_turn")
    assert not cut_code("")
