"""Vectors of texts by the words they share: latent semantic analysis.

Belongs here: texts to vectors, without a trained network and in any language. Does not belong here:
what a likeness of texts says of a liking (`terms.py`, `fallback.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from engagement_assets.learning.recommendation.data import Floats

logger = logging.getLogger(__name__)

WIDTH = 128
_WORDS = 50_000
# Chinese and Japanese write no spaces between words: there each character stands for itself.
_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = rf"(?u)[{_UNSPACED}]|[^\W{_UNSPACED}]{{2,}}"


def text_vectors(texts: Sequence[str], *, width: int = WIDTH) -> Floats:
    """Embed texts so that those with the same words, or words of the same texts, are near.

    The method is latent semantic analysis (Deerwester et al. 1990): a truncated singular value
    decomposition of TF-IDF weights (with sublinear counts) of the words that two texts or more
    have, at most the 50,000 commonest. The vectors of one call can be held against each other
    alone.

    Args:
        texts: n texts, in any language.
        width: Width of a vector where there are words enough.

    Returns:
        n x d with d at most `width`, of length 1; a row of zeros for a text that shares no word
        with another.
    """
    # below two texts nothing is shared, which the vectoriser takes for an error
    if len(texts) < 2:
        return np.zeros((len(texts), 1), dtype=np.float32)
    weigh = TfidfVectorizer(
        token_pattern=_WORD, sublinear_tf=True, min_df=2, max_features=_WORDS, dtype=np.float32
    )
    try:
        weights = weigh.fit_transform(texts)
    except ValueError:
        logger.info("no word stands in two of %d texts: their likeness is not used", len(texts))
        return np.zeros((len(texts), 1), dtype=np.float32)
    if weights.shape[1] > width:
        vectors = TruncatedSVD(min(width, len(texts)), random_state=0).fit_transform(weights)
    else:
        vectors = weights.toarray()
    return np.asarray(normalize(vectors, copy=False), dtype=np.float32)
