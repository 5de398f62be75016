"""A trained model for other programs: ONNX graphs, one HTML file."""
