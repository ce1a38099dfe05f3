"""Text that is no CSV as it is read here is told as a whole, with what to do."""

import pytest

from components.example_gen.readers.sniffer import sniff
from trainer.errors import DataError


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("% a comment\n\n@RELATION iris\n@attribute x numeric\n@data\n1.5\n2.5\n", r"an ARFF file\. Write CSV: `sed '1,/\^@data/Id'"),
        ('id,said,n\n1,"He said \\"no\\", twice",3\n2,"\\"Yes\\" it is",4\n', r"backslashes before quotes, .* Write two quotes: `sed "),
        ('"size,colour,label"\n' + '"7.5,red,yes"\n"5.1,""dark, red"",no"\n' * 9, r"in quotes as a whole\. Take them away: `sed "),
        ("size;colour;label\r\n" + '"7,5;red;yes"\r\n"5,1;blue;no"\r\n' * 9, r"in quotes as a whole\. Take them away: `sed "),
    ],
)
def test_what_is_no_csv_is_refused_with_what_makes_one_of_it(text, received):
    with pytest.raises(DataError, match=received):
        sniff(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        'path,n\n"C:\\a\\",1\n"C:\\b\\",2\n"C:\\c\\",3\n',
        'json,n\n"{""a"": ""x\\""y""}",1\n"{""a"": ""z\\""y""}",2\n',
        'said,n\n"He said ""no"" twice",1\nyes,2\n"a ""b"" c",3\n',
    ],
)
def test_backslashes_that_escape_nothing_are_characters(text):
    assert len(sniff(text.encode()).columns) == 2


def test_quoted_texts_that_have_commas_are_no_rows():
    """A column of texts alone is one column, however many commas each of them has; a last line of any kind may be cut off."""
    text = "said\n" + '"No, no"\n"Well, I think, yes"\n"Yes"\n"One, two"\n' * 9
    assert sniff(text.encode()).columns == ("said",)
    assert sniff(("said,label\n" + '"No, no",a\n"Well, yes",b\n' * 9).encode()).columns == ("said", "label")
