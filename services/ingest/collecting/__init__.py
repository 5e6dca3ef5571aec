"""Takes in the calls of Segment and RudderStack SDKs over HTTP."""
