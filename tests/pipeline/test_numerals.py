import pyarrow as pa

from pipeline.numerals import digit_keys, digits


def keys(*texts):
    return digit_keys(pa.array(texts, pa.large_string())).tolist()


def test_digits_are_what_is_left_of_a_text():
    assert digits(pa.array(["add 2+2 and 10", "none", "٣ and 4"])).to_pylist() == ["2 2 10", "", "٣ 4"]


def test_texts_with_the_same_numbers_share_a_key_whatever_their_order():
    one, other, sorted_otherwise, none = keys("add 2 and 10", "take 2, then 10!", "10 plus 2", "no number")

    assert one == other == sorted_otherwise != 0
    assert none == 0


def test_other_numbers_have_another_key():
    assert len(set(keys("2+2", "8+5", "22", "2", "2 2 2", "0", "00"))) == 7


def test_digits_of_other_scripts_count_too():
    arabic, other, accented, plain = keys("٣ + 4", "٤ + 4", "café 3", "cafe 3")

    assert arabic != other
    assert accented == plain
