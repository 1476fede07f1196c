"""How the network that ships with the package is trained: `python -m nlp.training --data DIR`.

Two steps. `teacher` fine-tunes a small transformer on the corpora; `student` trains the network of
`nlp.network` on the same posts and on what the teacher says of them. Needs the dependency group `train`;
nothing here is imported when Superfan runs.
"""
