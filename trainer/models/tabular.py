"""provisional."""

import keras
from keras import layers


def build(inputs, outputs, dropout, sizes):
    ins = {n: keras.Input(f.shape, dtype=f.dtype, name=n) for n, f in inputs.items()}
    parts = []
    for n, x in ins.items():
        parts.append(layers.Flatten()(layers.Embedding(sizes[n], 8)(x)) if n in sizes else x)
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    for _ in range(2):
        x = layers.Dropout(dropout)(layers.Dense(128, "relu")(x))
    return keras.Model(ins if len(ins) > 1 else next(iter(ins.values())), layers.Dense(outputs)(x))
