"""From a frame's stored bytes to a picture: decode, window, render. No HTTP and no database in here.

`decode` turns one frame's bytes into stored values, `window` stored values into grey levels, `palette`
indices into colours, `render` all of it into a JPEG, PNG or GIF, `placeholder` draws what has no pixels.
"""
