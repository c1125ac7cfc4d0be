"""Who is asking: identities and the guard in front of every route."""
