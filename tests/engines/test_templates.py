from dgrid.engines.templates import CHATML_SPACED, render_chatml_spaced, template_of


def test_an_earlier_reply_gets_its_space_back() -> None:
    chat = [("user", "Where?"), ("assistant", " Oslo\n"), ("user", "Who?")]
    assert render_chatml_spaced(chat) == (
        "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\n Oslo<|im_end|>\n"
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_last_reply_is_gone_on_with() -> None:
    assert render_chatml_spaced([("assistant", " Os")]) == "<|im_start|>assistant\n Os"


def test_a_template_is_known_by_its_very_text() -> None:
    assert template_of(CHATML_SPACED) is render_chatml_spaced
    assert template_of(CHATML_SPACED + " ") is None
    assert template_of(None) is None
