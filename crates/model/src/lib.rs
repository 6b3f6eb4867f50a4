//! CART random forest over linfa datasets, metrics, export to ONNX.
