"""Small models that run on the CPU through ONNX."""
