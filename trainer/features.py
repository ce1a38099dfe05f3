"""The features of a raw tf.Example: their names, kinds and the label. Every other module takes the names from here."""

# The names that TF-Slim's and the Object Detection API's image records use.
IMAGE = "image/encoded"  # bytes, PNG or JPEG
IMAGE_FORMAT = "image/format"  # bytes, b"png"
IMAGE_HEIGHT = "image/height"  # int64, pixels
IMAGE_WIDTH = "image/width"  # int64, pixels
LABEL = "image/class/label"  # int64, 0 <= label < number of classes

# After Transform: the names under which `preprocessing_fn` returns them.
PIXELS = "pixels"  # float32, (height, width, channels)
TRANSFORMED_LABEL = "label"  # int64, scalar
