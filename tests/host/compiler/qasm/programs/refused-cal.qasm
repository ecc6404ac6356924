// refused: defcal is not supported
OPENQASM 3.0;
defcal x $0 { play(d, w); }
