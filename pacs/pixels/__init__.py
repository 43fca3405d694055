"""From a frame's stored bytes to a picture, or to another transfer syntax. No HTTP and no database in here.

`decode` turns one frame's bytes into stored values, by way of `workers` where a native codec has to read them;
`transcode` puts them into another transfer syntax. `window` turns stored values into grey levels, `draw` does that
with colours and overlays, `presentation` as a presentation state says, `render` makes pictures of it.
"""
