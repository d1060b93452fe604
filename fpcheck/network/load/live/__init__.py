"""Live models: PyTorch modules, Keras models, callables, and targets `package.module:factory`."""
