"""Where a frame lies in the patient: its plane, and the way from one plane's pixels to another's (PS3.3 C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.pixels import attributes

Vector = NDArray[np.float64]

#: Planes whose normals' cosine is at least that are parallel; rotations are known to about a tenth of a degree.
_PARALLEL = 0.9999


@dataclass(frozen=True, slots=True)
class Plane:
    """A frame's plane: the middle of its first pixel and the steps to the next pixel and the next row, in mm."""

    origin: Vector
    across: Vector
    down: Vector
    #: Unknown where None.
    thickness: float | None
    frame_of_reference: str

    @property
    def normal(self) -> Vector:
        """The unit vector at right angles to the plane."""
        found: Vector = np.cross(self.across, self.down)
        return found / np.linalg.norm(found)

    def parallel(self, other: Plane) -> bool:
        """Tell whether the planes are parallel, from whichever side they are seen."""
        return abs(float(self.normal @ other.normal)) >= _PARALLEL

    def distance(self, other: Plane) -> float:
        """Millimetres between two parallel planes."""
        return abs(float(self.normal @ (other.origin - self.origin)))

    def onto(self, other: Plane) -> tuple[float, float, float, float, float, float]:
        """Give (a, b, c, d, e, f): this plane's (x, y) is (ax + by + c, dx + ey + f) there, in pixels from corners."""
        # The least squares leave out what points from one plane to the other.
        basis = np.stack([other.across, other.down], axis=1)
        steps, *_ = np.linalg.lstsq(basis, np.stack([self.across, self.down, self.origin - other.origin], axis=1))
        (a, b, c), (d, e, f) = steps.tolist()
        # Planes count from the middles of pixels, pictures from their corners.
        return a, b, c + 0.5 - (a + b) / 2, d, e, f + 0.5 - (d + e) / 2


def plane(ds: Dataset, frame_index: int = 0) -> Plane | None:
    """Read a frame's plane from its functional groups, else from the header; None where it is not known."""
    position, orientation, measures = (
        attributes.group(ds, frame_index, f"{name}Sequence") or ds
        for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures")
    )
    origin = attributes.numbers(position, "ImagePositionPatient")
    cosines = attributes.numbers(orientation, "ImageOrientationPatient")
    spacing = attributes.numbers(measures, "PixelSpacing")
    if (len(origin), len(cosines), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    if np.linalg.norm(np.cross(row, column)) < 0.5:
        return None
    return Plane(
        np.array(origin),
        row * spacing[1],
        column * spacing[0],
        attributes.number(measures, "SliceThickness"),
        attributes.phrase(ds, "FrameOfReferenceUID"),
    )
