// refused: stretch is not supported
OPENQASM 3.0;
stretch s;
