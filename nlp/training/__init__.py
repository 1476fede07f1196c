"""Training and evaluation of the text pipeline: `make train` and `make evaluate`.

Needs the dependency groups `train` and `evaluate`, and corpora that are not part of the repository. The
product never imports this package, and the wheel does not contain it.

- `corpora`: the corpora as typed records, split into `train` and `dev`
- `rows`, `made`: training rows from the corpora, and generated posts
- `teacher`: fine-tunes a small transformer
- `forward`, `student`: train the network of `nlp.network` on labels and on the teacher's predictions
- `__main__`: runs all of this, calibrates the network and writes `assets/network.npz`
- `evaluate`, `baselines`, `measures`, `figures`: measure the pipeline and write the tables of MODEL_CARD.md
"""
