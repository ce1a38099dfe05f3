"""The names of the columns of a folder of class folders."""

PICTURE = "image"  # bytes, a PNG or JPEG file
PICTURE_LABEL = "label"  # text, the class folder's name
