import numpy as np
from tinygrad_lite import nn, relu, softmax, softmax_cross_entropy, mean

class TwoLayer(nn.Module):
    def __init__(self, inputs=784, hidden=10, classes=10, seed=0):
        rng=np.random.default_rng(seed)
        u=lambda n,*s: rng.uniform(-n**-.5,n**-.5,s).astype(np.float32)
        self.W1=nn.Parameter(u(inputs,hidden,inputs)); self.b1=nn.Parameter(u(inputs,hidden,1))
        self.W2=nn.Parameter(u(hidden,classes,hidden)); self.b2=nn.Parameter(u(hidden,classes,1))
    def loss(self,X,Y):
        Z1 = self.W1 @ X + self.b1
        A1 = relu(Z1)
        Z2 = self.W2 @ A1 + self.b2
        return mean(softmax_cross_entropy(Z2, Y, axis=0))
