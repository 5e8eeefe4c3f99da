"""An evaluator in court: accuses where it has proof, sits where it is drawn, and votes by what it found itself."""
