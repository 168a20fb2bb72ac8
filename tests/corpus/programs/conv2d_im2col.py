"""A two-dimensional convolution as a matrix product over patches, images of one channel."""
import numpy as np
import tinygrad_lite as tl


def patches(image):
    return [image[r : r + 2, c : c + 2].reshape(4) for r in range(3) for c in range(3)]


def loss(image, target, K, bias):
    columns = tl.stack(patches(image), axis=1)
    return 0.5 * ((tl.relu(K @ columns + bias) - target) ** 2).sum()


def backward(image, target, K, bias):
    columns = np.stack(patches(image), axis=1)
    response = K @ columns + bias
    feature = np.maximum(response, 0)
    dfeature = feature - target
    dresponse = dfeature * (response > 0)
    dK = dresponse @ columns.T
    dbias = dresponse.sum(axis=1, keepdims=True)
    dcolumns = K.T @ dresponse
    dimage = np.zeros_like(image)
    for place in range(9):
        r, c = divmod(place, 3)
        dimage[r : r + 2, c : c + 2] += dcolumns[:, place].reshape(2, 2)
    return {"dK": dK, "dbias": dbias, "dimage": dimage}
