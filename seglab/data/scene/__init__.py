"""A drawn street: what stands where (plan), in which light (air), and how it becomes pixels (canvas and the rest).

Lengths are meters. x runs to the right from the middle of the road, y up from it, z along it away from the camera.
Colors are RGB from 0 to 255. This file loads nothing; the others load OpenCV.
"""

CLASSES = {
    "sky": (109, 185, 248),
    "building": (151, 114, 96),
    "road": (83, 70, 116),
    "marking": (255, 246, 240),
    "pavement": (218, 131, 181),
    "vegetation": (52, 188, 43),
    "fence": (251, 185, 136),
    "car": (19, 58, 211),
    "person": (213, 28, 32),
    "pole": (22, 49, 23),
    "sign": (255, 230, 46),
}
SKY, BUILDING, ROAD, MARKING, PAVEMENT, VEGETATION, FENCE, CAR, PERSON, POLE, SIGN = range(len(CLASSES))
