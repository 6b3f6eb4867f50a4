//! ONNX-ML tree ensembles: write, read strictly, evaluate.
