"""Previews: what definitions that are not in force would make of the recorded history."""
