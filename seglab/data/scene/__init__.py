"""A drawn street: what stands where (plan), in which light (air), and how it becomes pixels (canvas and the rest).

Lengths are meters. x runs to the right from the middle of the road, y up from it, z along it away from the camera.
Colors are RGB from 0 to 255. This file loads nothing; the others load OpenCV.
"""

CLASSES = {
    "sky": (120, 190, 240),
    "building": (150, 110, 80),
    "road": (95, 75, 110),
    "marking": (245, 245, 245),
    "pavement": (220, 130, 215),
    "vegetation": (70, 150, 50),
    "fence": (250, 170, 110),
    "car": (30, 60, 200),
    "person": (220, 30, 50),
    "pole": (30, 30, 30),
    "sign": (250, 220, 30),
}
SKY, BUILDING, ROAD, MARKING, PAVEMENT, VEGETATION, FENCE, CAR, PERSON, POLE, SIGN = range(len(CLASSES))
