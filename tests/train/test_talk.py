from train.readings import Reading
from train.talk import Talk

AT = Reading(3, 10, 1.25, 0.1, 0.5, 2.0, 900.0, 4.0, 65.0)


def test_where_there_is_no_terminal_a_validation_is_a_line(capsys):
    with Talk() as talk:
        talk.line("train     begins")
        talk.reading("train", AT)
    assert capsys.readouterr().err == (
        "train     begins\ntrain     step 3/10  loss 1.250  validation NLL 2.000  900 tokens/s  1:05 left\n"
    )


def test_a_process_that_is_not_the_first_says_nothing(capsys):
    with Talk(silent=True) as talk:
        talk.line("train     begins")
        talk.reading("train", AT)
        talk.asked("tuned on test", 3, 3)
    assert capsys.readouterr() == ("", "")
