"""How vectors are learned: by windows of words (skip-gram, CBOW), by counts (GloVe), by the full softmax."""
