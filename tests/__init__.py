"""Tests of both packages; `from tests.fakes… import …` reaches what they share."""
