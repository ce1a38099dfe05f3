"""The tasks, one a file: what is predicted, by which head and loss, what a caller is answered, and how a label is told."""

from trainer.tasks.multiclass import Multiclass

Task = Multiclass
